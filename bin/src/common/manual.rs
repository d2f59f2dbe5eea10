//! Shell completions and manual pages, made from the descriptions of the arguments.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::error::CliError;
use super::output::{prepare_folder, print, write_atomically};

/// Command-line arguments of `completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Shell that the script is for
    #[arg(value_enum)]
    shell: Shell,
}

/// Command-line arguments of `man`.
#[derive(Args, Debug)]
pub struct ManArgs {
    /// Folder for the pages
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completion script for a shell.
pub fn completions<C: CommandFactory>(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut command = C::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes the page of the program, and one of every command that it shows: `zoo.1`, `zoo-eval.1`.
pub fn pages<C: CommandFactory>(args: &ManArgs) -> Result<(), CliError> {
    let command = C::command();
    prepare_folder(&args.folder)?;
    let name = command.get_name().to_owned();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let pages: Vec<_> = shown.map(|page| (format!("{name}-{}", page.get_name()), page)).collect();
    for (title, page) in std::iter::once((name, command)).chain(pages) {
        let path = args.folder.join(format!("{title}.1"));
        let mut text = Vec::new();
        let rendered = clap_mangen::Man::new(
            page.display_name(title.clone()).bin_name(title.replacen('-', " ", 1)).disable_help_subcommand(true),
        )
        .render(&mut text);
        rendered.map_err(|source| CliError::Write { path: path.clone(), source })?;
        write_atomically(&path, &text)?;
    }
    Ok(())
}
