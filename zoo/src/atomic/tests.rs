use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(contents)?;
    file.commit()
}

#[test]
fn a_file_is_the_old_one_until_the_new_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    write(&path, b"old").unwrap();
    let mut file = AtomicFile::create(&path).unwrap();
    file.write_all(b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(folder.path()).len(), 2);
    drop(file);
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"old".to_vec()));
    write(&path, b"new").unwrap();
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"new".to_vec()));
}

#[test]
fn a_new_file_does_not_take_a_name_that_another_one_got_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let new = |contents: &[u8]| {
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(contents).unwrap();
        file
    };
    // Both began when there was none.
    let (first, second) = (new(b"first"), new(b"second"));
    first.commit_new().unwrap();
    assert_eq!(second.commit_new().unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"first".to_vec()));
}

#[test]
fn a_file_gets_its_name_alone_also_where_it_can_have_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let no_links = |_: &Path, _: &Path| Err(ErrorKind::Unsupported.into());
    for (contents, is_new) in [("first", true), ("second", false)] {
        let (mut temporary, mut file) = Temporary::in_folder(folder.path(), false).unwrap();
        file.write_all(contents.as_bytes()).unwrap();
        let renamed = temporary.rename_new(&path, no_links).map_err(|error| error.kind());
        assert_eq!(renamed, if is_new { Ok(()) } else { Err(ErrorKind::AlreadyExists) });
        drop(temporary);
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["x".to_owned()], b"first".to_vec()));
    }
}

#[test]
fn what_a_killed_process_left_goes_with_the_next_file_and_what_is_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // As a killed process leaves it: there, and not locked.
    fs::write(at(".pvlu-123456-0.tmp"), "half").unwrap();
    for other in [".pvlu-1-x.tmp", ".pvlu-1.tmp", ".pvlu--1.tmp", ".other-1-1.tmp", ".pvlu-1-1.tmp.txt"] {
        fs::write(at(other), "another program's").unwrap();
    }
    let under_way = AtomicFile::create(&at("y")).unwrap();
    write(&at("x"), b"whole").unwrap();
    let left = names(folder.path());
    assert!(!left.contains(&".pvlu-123456-0.tmp".to_owned()), "{left:?}");
    assert_eq!(left.len(), 5 + 2, "{left:?}");
    under_way.commit().unwrap();
    fs::write(at(".pvlu-123456-0.tmp"), "half").unwrap();
    probe(folder.path()).unwrap();
    assert_eq!(names(folder.path()).len(), 5 + 2);
}

/// Each sweeps the folder while the others write in it. Locks are of open files, so that threads are as good as
/// processes.
#[test]
fn writers_in_one_folder_do_not_take_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let path = folder.path().join(format!("{writer}"));
            scope.spawn(move || (0..100).for_each(|number| write(&path, format!("{number}").as_bytes()).unwrap()));
        }
    });
    assert_eq!(names(folder.path()), ["0", "1", "2", "3"]);
    assert!((0..4).all(|writer| fs::read(folder.path().join(format!("{writer}"))).unwrap() == b"99"));
}

#[test]
fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("x")).unwrap();
    for path in [folder.path().join("x"), folder.path().join(".."), PathBuf::from("/")] {
        assert_eq!(AtomicFile::create(&path).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
    assert!(AtomicFile::create(&folder.path().join("none/x")).is_err());
    assert_eq!(names(folder.path()), ["x"]);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn a_link_stays_and_what_it_leads_to_is_replaced_or_made() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/file"), "old").unwrap();
        symlink("elsewhere/second", at("first")).unwrap();
        symlink("file", at("elsewhere/second")).unwrap();
        symlink(at("elsewhere/new"), at("dangling")).unwrap();
        write(&at("first"), b"new").unwrap();
        write(&at("dangling"), b"made").unwrap();
        for link in ["first", "elsewhere/second", "dangling"] {
            assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!(fs::read(at("elsewhere/file")).unwrap(), b"new");
        assert_eq!(fs::read(at("elsewhere/new")).unwrap(), b"made");
        assert_eq!(names(&at("elsewhere")), ["file", "new", "second"]);
        symlink("circle", at("circle")).unwrap();
        assert!(write(&at("circle"), b"x").is_err());
        assert!(fs::symlink_metadata(at("circle")).unwrap().is_symlink());
    }

    #[test]
    fn the_mode_of_a_replaced_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for mode in [0o600, 0o640, 0o755, 0o444] {
            fs::write(&path, "old").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let before = fs::metadata(&path).unwrap();
            let file = AtomicFile::create(&path).unwrap();
            // Nobody else reads what will be in a file that nobody else may read.
            assert_eq!(file.file.metadata().unwrap().mode() & 0o077, 0);
            file.commit().unwrap();
            let after = fs::metadata(&path).unwrap();
            assert_eq!(after.mode() & 0o7777, mode, "{mode:o}");
            assert_ne!(after.ino(), before.ino(), "a new file");
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_fifo_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        write(&path, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert_eq!(names(folder.path()), ["fifo"]);
        assert!(is_stream(fs::symlink_metadata(&path).unwrap().file_type()));
    }

    /// A node of the null device, which only root can make, for the one in `/dev` is too dear to lose.
    #[test]
    fn a_device_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("null");
        let made = Command::new("mknod").arg(&path).args(["c", "1", "3"]).output();
        if !made.is_ok_and(|made| made.status.success()) || fs::write(&path, "").is_err() {
            println!("skipped: no device can be made here");
            return;
        }
        write(&path, b"nowhere").unwrap();
        assert!(is_stream(fs::symlink_metadata(&path).unwrap().file_type()));
        assert_eq!((names(folder.path()), fs::read(&path).unwrap()), (vec!["null".to_owned()], Vec::new()));
    }

    #[test]
    fn a_socket_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(write(&path, b"x").unwrap_err().to_string().contains("a socket"));
        assert_eq!(names(folder.path()), ["socket"]);
    }
}
