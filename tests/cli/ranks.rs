//! Commands that a launcher starts several processes of.

use crate::support::Place;
use crate::zoo;

#[test]
#[cfg(not(feature = "mpi"))]
fn several_processes_without_mpi_are_refused_by_the_first_of_them() {
    let place = Place::new();
    let variables = [
        ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
        ("PMI_SIZE", "PMI_RANK"),
        ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    ];
    for (count, rank) in variables {
        for (number, code, lines) in [("0", 2, 1), ("1", 0, 0)] {
            for mut command in [zoo::command(&place, "list"), place.command("show table1")] {
                let ran = crate::support::Ran::from(command.env(count, "3").env(rank, number).output().unwrap());
                assert_eq!((ran.code, ran.stderr.lines().count()), (Some(code), lines), "{ran:?}");
                if number == "0" {
                    ran.failed_in_one_line(2, &[&format!("{count}=3"), "3 processes", "--features mpi"]);
                }
            }
        }
        let alone = zoo::command(&place, "list").env(count, "1").env(rank, "0").output().unwrap();
        assert!(alone.status.success());
    }
}

#[cfg(feature = "mpi")]
mod with_mpi {
    use std::fs;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use pvlu_zoo::checkpoint::{Notes, save_model};
    use pvlu_zoo::registry::{Options, Start, find};
    use pvlu_zoo::weights::Source;

    use super::*;
    use crate::kept::{epochs, files};
    use crate::support::Ran;
    use crate::training::place;
    use crate::tuning::folder;

    /// Batch norm, a last batch of fewer images than there are shards, and held-out images.
    const TRAIN: &str = "train --model cifar_resnet20 --activation pvlu --dataset cifar100 --data cifar --epochs 3 \
                         --batch-size 22 --learning-rate 0.02 --flip --shards 4 --threads 1 --out run";

    /// `mpirun` of Open MPI, which starts a program on so many ranks, each by a shell that does something before.
    fn launched(place: &Place, ranks: usize, before: &str, program: &Command) -> Command {
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "-n", &ranks.to_string(), "sh", "-c", &format!("{before}; exec \"$@\"")]);
        command.arg("sh").arg(program.get_program()).args(program.get_args());
        command.current_dir(place.path("")).stdin(Stdio::null()).env_remove("PVLU_ZOO_DATA");
        // Root may start it in a container.
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        // Which may forbid to read the memory of another process.
        command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
        command
    }

    /// `zoo ARGUMENTS` on so many ranks, each of which writes its process number to `pid-RANK`.
    fn on_ranks(place: &Place, ranks: usize, arguments: &str) -> Command {
        launched(place, ranks, "echo $$ > pid-$OMPI_COMM_WORLD_RANK", &zoo::command(place, arguments))
    }

    fn ran_on(place: &Place, ranks: usize, arguments: &str) -> Ran {
        Ran::of(on_ranks(place, ranks, arguments))
    }

    /// Files and epochs of a training that is finished, which have to be the same.
    fn trained(place: &Place) -> (Vec<(String, Vec<u8>)>, Vec<String>) {
        (files(&place.path("run/seed-0")), epochs(place, "run"))
    }

    /// The training of [`TRAIN`] by one process.
    fn expected() -> (Vec<(String, Vec<u8>)>, Vec<String>) {
        let place = place();
        zoo::zoo(&place, TRAIN).succeeded();
        trained(&place)
    }

    /// Ends with an error of the program, which is one line among those of the launcher.
    #[track_caller]
    fn failed(ran: &Ran, words: &[&str]) {
        assert_ne!(ran.code, Some(0), "{ran:?}");
        let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{ran:?}");
        words.iter().for_each(|word| assert!(errors[0].contains(word), "no {word:?} in {:?}", errors[0]));
    }

    #[test]
    fn a_training_is_the_same_bytes_on_any_number_of_ranks() {
        let expected = expected();
        for ranks in [1, 2, 4] {
            let place = place();
            let ran = ran_on(&place, ranks, TRAIN).succeeded();
            assert!(trained(&place) == expected, "{ranks} ranks");
            // The first rank alone prints.
            assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
            assert_eq!(ran.stderr.matches("epoch 3/3").count(), 1, "{ran:?}");
            for level in ["portable", "avx2"] {
                let mut command = on_ranks(&place, ranks, &format!("{TRAIN} --fresh"));
                command.env("PVLU_SIMD", level);
                let ran = Ran::of(command);
                if ran.stderr.contains("lacks") && level == "avx2" {
                    println!("skipped: {level}: {}", ran.stderr);
                    continue;
                }
                ran.succeeded();
                assert!(trained(&place) == expected, "{ranks} ranks, {level}");
            }
        }
    }

    /// A frozen trunk of VGG-16 and the PVLUs in it.
    #[test]
    fn a_tuning_is_the_same_bytes_on_any_number_of_ranks() {
        let place = Place::new();
        folder(&place);
        let entry = find("vgg16").unwrap();
        let options = Options { activation: "relu", classes: 2, image: Some((32, 32)), weights: Start::Seed(3) };
        let model = entry.build(&options).unwrap();
        let notes = Notes::default();
        save_model(model.as_ref(), entry, place.path("w.safetensors"), Source::Native, &notes).unwrap();
        let tune = "finetune --weights w.safetensors --dataset folder --data images --image 32 --activation pvlu \
                    --train activations --epochs 2 --batch-size 4 --flip --shards 4 --threads 1 --quiet --force \
                    --out tuned.safetensors";
        zoo::zoo(&place, tune).succeeded();
        let expected = fs::read(place.path("tuned.safetensors")).unwrap();
        for ranks in [2, 4] {
            fs::remove_file(place.path("tuned.safetensors")).unwrap();
            ran_on(&place, ranks, tune).succeeded();
            assert!(fs::read(place.path("tuned.safetensors")).unwrap() == expected, "{ranks} ranks");
        }
    }

    /// Features of a frozen trunk, a swap, held-out images, mixed ones, moving averages, evaluations.
    #[test]
    fn phases_and_evaluations_are_the_same_on_two_ranks() {
        let place = Place::new();
        folder(&place);
        zoo::weights(&place.path("w.safetensors"), "cifar_resnet20", "relu", 2);
        let tune = "finetune --weights w.safetensors --dataset folder --data images --batch-size 3 --shards 2 \
                    --threads 1 --quiet --force --out tuned.safetensors";
        let ways = [
            "--activation pvlu --head-epochs 2 --epochs 2 --held-out 0.25",
            "--train all --epochs 2 --mixup 0.3 --average 0.9",
            "--train head --epochs 3 --held-out 0.25 --runs runs",
        ];
        for way in ways {
            let of = |ranks: usize| {
                let tune = format!("{tune} {way}");
                let alone = zoo::command(&place, &tune);
                let ran = Ran::of(if ranks > 1 { on_ranks(&place, ranks, &tune) } else { alone }).succeeded();
                let kept = place.path("runs/seed-0");
                let kept = kept.exists().then(|| (files(&kept), epochs(&place, "runs")));
                let _ = fs::remove_dir_all(place.path("runs"));
                (ran.stdout, fs::read(place.path("tuned.safetensors")).unwrap(), kept)
            };
            assert!(of(2) == of(1), "{way}");
        }
        let eval = "eval --weights tuned.safetensors --dataset folder --data images --batch-size 3 --json";
        let answer = |ran: Ran| {
            let mut json: serde_json::Value = serde_json::from_str(&ran.succeeded().stdout).unwrap();
            json["seconds"].take();
            json
        };
        assert_eq!(answer(ran_on(&place, 2, eval)), answer(zoo::zoo(&place, eval)));
        // Another file at the same path.
        let tune = tune.replace("--out tuned", "--seed 9 --train head --out other");
        zoo::zoo(&place, &tune).succeeded();
        let other = "mkdir -p $OMPI_COMM_WORLD_RANK; cd $OMPI_COMM_WORLD_RANK; ln -sf ../images images; \
                     [ $OMPI_COMM_WORLD_RANK = 0 ] && cp ../other.safetensors t || cp ../tuned.safetensors t";
        let eval = eval.replace("tuned.safetensors", "t");
        failed(&Ran::of(launched(&place, 2, other, &zoo::command(&place, &eval))), &["rank 1 on ", "weights sha256"]);
    }

    #[test]
    fn a_table_is_the_same_bytes_on_any_number_of_ranks() {
        let table = "table1 --preset quick --limit-train 60 --limit-test 20 --epochs 1 --activations relu,pvlu \
                     --seeds 0 --shards 2 --threads 1 --quiet";
        let of = |ranks: Option<usize>| {
            let place = Place::new();
            let alone = place.command(table);
            Ran::of(ranks.map_or(alone, |ranks| launched(&place, ranks, ":", &place.command(table)))).succeeded();
            let rows = place.csv("table1.csv");
            let row = |row: &Vec<&str>| row.iter().map(ToString::to_string).collect();
            rows.lasting().iter().map(row).collect::<Vec<Vec<String>>>()
        };
        let expected = of(None);
        assert!(expected.len() > 2);
        assert_eq!(of(Some(2)), expected);
    }

    /// The process of a rank, once it has written its number.
    fn process_of(place: &Place, rank: usize) -> Option<Pid> {
        let number = fs::read_to_string(place.path(format!("pid-{rank}"))).ok()?;
        number.trim().parse().ok().map(Pid::from_raw)
    }

    /// True unless a process has ended, even if nobody has asked for its exit code.
    fn is_running(process: Pid) -> bool {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.contains("State:") && !status.contains("State:\tZ")
    }

    /// Waits for the end of a command, for half a minute at most.
    fn ended(mut running: Child) -> std::process::Output {
        let start = Instant::now();
        while running.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(30), "the other ranks did not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        running.wait_with_output().unwrap()
    }

    #[test]
    fn a_rank_that_is_killed_ends_all_and_any_number_of_them_goes_on() {
        let (expected, place) = (expected(), place());
        let train = format!("{TRAIN} --resume --checkpoint-every 0 --quiet");
        let (mut random, mut kills) = (7_u64, 0);
        while kills < 10 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let ranks = [2, 4, 1, 2][kills % 4];
            for rank in 0..4 {
                let _ = fs::remove_file(place.path(format!("pid-{rank}")));
            }
            let mut command = on_ranks(&place, ranks, &train);
            let mut running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(300 + (random >> 33) % 1500));
            if running.try_wait().unwrap().is_some() {
                // The training is finished, and begins anew.
                assert!(running.wait_with_output().unwrap().status.success());
                assert!(trained(&place) == expected, "after {kills} kills");
                fs::remove_dir_all(place.path("run")).unwrap();
                continue;
            }
            let chosen = process_of(&place, (random >> 50) as usize % ranks);
            if chosen.is_none_or(|process| kill(process, Signal::SIGKILL).is_err()) {
                // It has not begun, or has ended.
                running.kill().unwrap();
                running.wait().unwrap();
                continue;
            }
            let output = ended(running);
            kills += 1;
            let start = Instant::now();
            while (0..ranks).filter_map(|rank| process_of(&place, rank)).any(is_running) {
                assert!(start.elapsed() < Duration::from_secs(30), "a rank goes on: {output:?}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        ran_on(&place, 4, &train).succeeded();
        assert!(trained(&place) == expected);
    }

    /// The ranks agree on the step that they stop after.
    #[test]
    fn a_rank_that_is_asked_to_end_keeps_the_training() {
        let long = TRAIN.replace("--epochs 3", "--epochs 40");
        let alone = place();
        zoo::zoo(&alone, &long).succeeded();
        let expected = trained(&alone);
        for (rank, signal, others) in [(1, Signal::SIGTERM, 4), (0, Signal::SIGINT, 1), (0, Signal::SIGTERM, 2)] {
            let place = place();
            let mut command = on_ranks(&place, 2, &long);
            let running = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            let begun = Instant::now();
            while !place.path("run/seed-0/epochs.csv").exists() {
                assert!(begun.elapsed() < Duration::from_secs(120), "no epoch was trained");
                std::thread::sleep(Duration::from_millis(10));
            }
            kill(process_of(&place, rank).unwrap(), signal).unwrap();
            let ran = Ran::from(ended(running));
            failed(&ran, &["interrupted"]);
            assert!(place.path("run/seed-0/checkpoint.safetensors").exists());
            ran_on(&place, others, &format!("{long} --resume")).succeeded();
            assert!(trained(&place) == expected, "{signal} to rank {rank}");
        }
    }

    #[test]
    fn what_ranks_cannot_do_together_ends_with_one_line() {
        let place = place();
        failed(&ran_on(&place, 3, TRAIN), &["--shards 4 on 3 ranks", "that 3 divides"]);
        failed(&ran_on(&place, 2, "list"), &["list on 2 ranks", "zoo train"]);
        failed(&ran_on(&place, 2, "train --nonsense"), &["--nonsense"]);
        let cuda = TRAIN.replace("--shards 4", "--shards 2 --device cuda");
        failed(&ran_on(&place, 2, &cuda), &["--device cuda"]);
        // Files of a rank alone.
        fs::create_dir(place.path("other")).unwrap();
        crate::support::write_cifar100(&place.path("other/cifar"), 150, 40);
        let path = place.path("other/cifar/train.bin");
        let mut bytes = fs::read(&path).unwrap();
        bytes[1000] ^= 1;
        fs::write(&path, bytes).unwrap();
        fs::create_dir(place.path("third")).unwrap();
        for (folder, words) in [
            ("other", ["rank 1 on ", "data sha256: expected that of rank 0"]),
            ("third", ["rank 1 on ", "cifar: no such folder"]),
        ] {
            let before = format!("[ $OMPI_COMM_WORLD_RANK = 0 ] || cd {folder}");
            let command = launched(&place, 2, &before, &zoo::command(&place, TRAIN));
            failed(&Ran::of(command), &words);
            let entries = fs::read_dir(place.path(folder)).unwrap().count();
            assert_eq!(entries, usize::from(folder == "other"), "the other ranks write elsewhere");
        }
    }

    /// Each rank looks at some image files, in pieces of 256, and all leave out what any of them has found.
    #[test]
    fn image_files_that_cannot_be_read_are_those_of_all_ranks() {
        let place = Place::new();
        folder(&place);
        let class = place.path("images/train/dark");
        for index in 4..261 {
            fs::copy(class.join("0.png"), class.join(format!("{index}.png"))).unwrap();
        }
        // The first piece, of rank 0, has the first class but for its last five files.
        let broken = [class.join("1.png"), place.path("images/train/light/3.png")];
        broken.iter().for_each(|file| fs::write(file, "no image").unwrap());
        let train = "train --model cifar_resnet20 --dataset folder --data images --image 16 --epochs 1 --batch-size 64 \
                     --limit-test 4 --shards 2 --threads 1 --out run";
        let skips = format!("{train} --skip-unreadable");
        let ran = ran_on(&place, 2, &skips).succeeded();
        for said in ["dark/1.png", "light/3.png", "left out 2 of 265 images to train on"] {
            assert_eq!(ran.stderr.matches(said).count(), 1, "{said}: {ran:?}");
        }
        let of_two = trained(&place);
        zoo::zoo(&place, &format!("{skips} --fresh")).succeeded();
        assert!(trained(&place) == of_two);
        // One of a rank alone, beyond the files that the first one has.
        let other = "mkdir -p $OMPI_COMM_WORLD_RANK; cd $OMPI_COMM_WORLD_RANK; cp -r ../images images; \
                     if [ $OMPI_COMM_WORLD_RANK = 0 ]; then rm images/train/*/*3.png; fi";
        let launch = |arguments: &str| Ran::of(launched(&place, 2, other, &zoo::command(&place, arguments)));
        failed(&launch(&skips), &["rank 1 on ", "data sha256: expected that of rank 0"]);
        fs::remove_dir_all(place.path("0")).unwrap();
        fs::remove_dir_all(place.path("1")).unwrap();
        fs::copy(class.join("0.png"), class.join("1.png")).unwrap();
        failed(&launch(train), &["rank 1 on ", "light/3.png"]);
    }
}
