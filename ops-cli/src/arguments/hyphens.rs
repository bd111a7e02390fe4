//! Accepts values that begin with a hyphen. One rule holds for the data of `publish` and the value of every option:
//!
//! - `--` and a name is a long option, even if the command does not have it. Such data goes after `--`, such a value after `=`.
//! - One hyphen and letters are flags only if every letter is a flag of the command (`-q`). Help is `-h` alone. An option with a
//!   value can be the last of them, and its value can be attached: `-n5`, `-n=5`, `-fn5`.
//! - One hyphen and one letter is never data (`-v`), because an unknown flag was meant. Such data goes after `--`.
//! - Everything else is data or a value: `-heartbeat`, `-DEBUG`, `-1`, `---`, `--- a/file`.
//!
//! The arguments are rewritten before clap parses them, because clap decides per option, and reads `-heartbeat` as `-h` and
//! more flags.

use std::ffi::{OsStr, OsString};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, FromArgMatches};

use super::{Cli, definition};

/// Parses a command line, including the program name.
///
/// # Errors
/// clap's message, which may be the help that was requested.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    read(&definition(), args)
}

fn read(root: &Command, args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let RewrittenArguments { args, tips } = rewrite(root, args)?;
    let parsed = root.clone().try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| with_tips(error, &tips))
}

/// Arguments that clap parses by the rule.
struct RewrittenArguments {
    args: Vec<OsString>,
    tips: Tips,
}

/// Hints in case clap rejects the arguments.
#[derive(Default)]
struct Tips {
    /// Whether the command has positional arguments.
    takes_data: bool,
    /// The last option without a value, and the argument that follows it.
    lacks_value: Option<(String, String)>,
}

/// Rewrites the arguments of a command that was built. Joins values that begin with a hyphen to their option, and moves such
/// data behind `--`.
///
/// # Errors
/// An argument is neither an option of the command nor data for it. clap would print help for `-heartbeat`.
fn rewrite(root: &Command, args: impl IntoIterator<Item = OsString>) -> Result<RewrittenArguments, clap::Error> {
    let mut args = args.into_iter();
    let mut rewritten: Vec<_> = args.next().into_iter().collect();
    let (mut command, mut data, mut lacks_value) = (root, Vec::new(), None);
    let mut args = args.peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            data.extend(args.by_ref());
            rewritten.push(arg);
            rewritten.append(&mut data);
            break;
        }
        let Some(text) = arg.to_str() else {
            rewritten.push(arg);
            continue;
        };
        if let Some(ShortOption { flags, name, value: Some(value) }) = short_option(command, text) {
            rewritten.extend(flags);
            rewritten.push(format!("--{name}={value}").into());
        } else if let Some((flags, name)) = takes_next(command, text) {
            rewritten.extend(flags);
            let arg = OsString::from(format!("--{name}"));
            match args.next_if(|next| is_value(command, next)) {
                Some(value) if begins_with_hyphen(&value) => {
                    let mut joined = arg;
                    joined.push("=");
                    joined.push(value);
                    rewritten.push(joined);
                }
                Some(value) => rewritten.extend([arg, value]),
                None => {
                    let next = args.peek().map(|next| (name.to_owned(), next.to_string_lossy().into_owned()));
                    lacks_value = next.or(lacks_value);
                    rewritten.push(arg);
                }
            }
        } else if begins_with_hyphen(&arg) && is_value(command, &arg) {
            if !takes_data(command) || is_short_option(text) {
                let tips = Tips { takes_data: takes_data(command), lacks_value: None };
                return Err(with_tips(unknown(command, text), &tips));
            }
            data.push(arg);
        } else {
            command = command.find_subcommand(text).unwrap_or(command);
            rewritten.push(arg);
        }
    }
    if !data.is_empty() {
        rewritten.push("--".into());
        rewritten.append(&mut data);
    }
    Ok(RewrittenArguments { args: rewritten, tips: Tips { takes_data: takes_data(command), lacks_value } })
}

fn unknown(command: &Command, argument: &str) -> clap::Error {
    let mut error = clap::Error::new(ErrorKind::UnknownArgument).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(argument.to_owned()));
    error.insert(ContextKind::Usage, ContextValue::StyledStr(command.clone().render_usage()));
    error
}

/// An option with a value that is written with one hyphen.
struct ShortOption<'c, 't> {
    /// The flags before it, as an argument.
    flags: Option<OsString>,
    /// Its long name.
    name: &'c str,
    /// The value in the same argument.
    value: Option<&'t str>,
}

/// The option with a value that one hyphen and letters end with, if all letters before it are flags.
fn short_option<'c, 't>(command: &'c Command, text: &'t str) -> Option<ShortOption<'c, 't>> {
    let letters = text.strip_prefix('-')?;
    for (index, letter) in letters.char_indices() {
        let (flags, rest) = (&letters[..index], &letters[index + letter.len_utf8()..]);
        let option = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
        if !option.get_action().takes_values() {
            continue;
        }
        if !flags.is_empty() && !are_flags(command, flags) {
            return None;
        }
        return Some(ShortOption {
            flags: (!flags.is_empty()).then(|| format!("-{flags}").into()),
            name: option.get_long()?,
            value: Some(rest.strip_prefix('=').unwrap_or(rest)).filter(|_| !rest.is_empty()),
        });
    }
    None
}

/// The flags before an option and its name, if this argument is an option whose value is the next argument.
fn takes_next<'n>(command: &'n Command, text: &'n str) -> Option<(Option<OsString>, &'n str)> {
    if let Some(ShortOption { flags, name, value: None }) = short_option(command, text) {
        return Some((flags, name));
    }
    let name = text.strip_prefix("--").filter(|name| !name.contains('='))?;
    let option = command.get_arguments().find(|arg| arg.get_long() == Some(name))?;
    option.get_action().takes_values().then_some((None, name))
}

fn takes_data(command: &Command) -> bool {
    command.get_positionals().next().is_some()
}

fn begins_with_hyphen(text: &OsStr) -> bool {
    text.as_encoded_bytes().first() == Some(&b'-')
}

/// Whether an argument is data or a value, and not an option.
fn is_value(command: &Command, arg: &OsStr) -> bool {
    let Some(text) = arg.to_str() else { return true };
    match text.strip_prefix("--") {
        Some(name) => !name.is_empty() && !is_option_name(name),
        None => text.strip_prefix('-').is_none_or(|letters| !are_flags(command, letters)),
    }
}

/// One hyphen and one letter.
fn is_short_option(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-', letter] if letter.is_ascii_alphabetic())
}

/// `name` or `name=value`.
fn is_option_name(text: &str) -> bool {
    let name = text.split('=').next().unwrap_or(text);
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.starts_with(|first: char| first.is_ascii_alphabetic()) && name.bytes().all(is_of_names)
}

/// Whether all letters are flags of the command. Help and version count only alone.
fn are_flags(command: &Command, letters: &str) -> bool {
    let is_flag = |letter| command.get_arguments().any(|arg| arg.get_short() == Some(letter));
    let is_alone = letters.chars().count() == 1;
    !letters.is_empty() && letters.chars().all(|letter| is_flag(letter) && (is_alone || !matches!(letter, 'h' | 'V')))
}

/// Adds a hint about data, or a value, that looks like an option.
fn with_tips(mut error: clap::Error, tips: &Tips) -> clap::Error {
    if !matches!(error.kind(), ErrorKind::UnknownArgument | ErrorKind::InvalidValue) {
        return error;
    }
    let mut shown = Vec::new();
    if let Some((option, next)) = &tips.lacks_value {
        shown.push(format!("write a value that looks like an option after `=`: --{option}={next}"));
    }
    if let (ErrorKind::UnknownArgument, true, Some(ContextValue::String(argument))) =
        (error.kind(), tips.takes_data, error.get(ContextKind::InvalidArg))
        && argument.starts_with('-')
    {
        shown.push(format!("write data that looks like an option after `--`: -- {argument}"));
    }
    if !shown.is_empty() {
        let shown = shown.into_iter().map(StyledStr::from).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(shown));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;
    use proptest::prelude::*;

    use super::*;
    use crate::commands::Command as Subcommand;
    use crate::commands::publish::Publish;

    fn root() -> Command {
        definition()
    }

    fn parsed(args: &[&str]) -> Result<Cli, clap::Error> {
        read(&root(), ["ops-cli"].iter().chain(args).map(OsString::from))
    }

    fn published(args: &[&str]) -> Publish {
        match parsed(&[&["publish"], args].concat()) {
            Ok(Cli { command: Subcommand::Publish(publish), .. }) => publish,
            other => panic!("{args:?}: {other:?}"),
        }
    }

    /// Every command that does something, with its names: `["config", "show"]`.
    fn runnable(command: &Command, names: &[&'static str]) -> Vec<(Command, Vec<&'static str>)> {
        let subcommands = command.get_subcommands().filter(|command| command.get_name() != "help");
        let nested = subcommands.flat_map(|command| {
            let name: &str = Box::leak(command.get_name().to_owned().into());
            runnable(command, &[names, &[name]].concat())
        });
        let nested: Vec<_> = nested.collect();
        if nested.is_empty() { vec![(command.clone(), names.to_vec())] } else { nested }
    }

    #[test]
    fn every_option_accepts_a_value_that_begins_with_a_hyphen() {
        let root = root();
        let mut options = 0;
        for (command, names) in runnable(&root, &[]) {
            for arg in command.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let option = format!("--{}", arg.get_long().unwrap());
                if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
                    continue;
                }
                options += 1;
                for value in ["-1", "-x", "-DEBUG", "-hq", "-5m", "---", "-"] {
                    let args = [&["ops-cli"], names.as_slice(), &[option.as_str(), value]].concat();
                    let rewritten = rewrite(&root, args.iter().map(OsString::from)).unwrap().args;
                    // clap checks required arguments after the values.
                    let kind = root.clone().try_get_matches_from(rewritten).err().map(|error| error.kind());
                    let is_about_value =
                        matches!(kind, None | Some(ErrorKind::InvalidValue | ErrorKind::ValueValidation));
                    let is_about_others =
                        matches!(kind, Some(ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict));
                    assert!(is_about_value || is_about_others, "{command} {option} {value}: {kind:?}");
                }
                // An option in the place of a value means that the value was forgotten.
                let error = parsed(&[names.as_slice(), &[option.as_str(), "--output"]].concat()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidValue, "{command} {option}");
                assert!(error.to_string().contains(&format!("{option}=--output")), "{error}");
            }
        }
        assert!(options > 100, "only {options} options were found");
    }

    #[test]
    fn data_keys_and_patterns_may_begin_with_a_hyphen() {
        for data in ["-heartbeat", "-1", "-", "-qx", "-qh", "-hello world", "---", "--- a/file", "--1", "-ü"] {
            assert_eq!(published(&[data]).data.as_deref(), Some(data));
            let with_options = published(&["--key", "-1", data, "-q"]);
            assert_eq!((with_options.data.as_deref(), with_options.key.as_deref()), (Some(data), Some("-1")));
            assert!(with_options.quiet);
        }
        assert_eq!(published(&["--", "--typo"]).data.as_deref(), Some("--typo"));
        assert_eq!(published(&["--key=--typo", "x"]).key.as_deref(), Some("--typo"));
        let Ok(Cli { command: Subcommand::Tail(tail), global }) =
            parsed(&["--app", "tail", "tail", "--filter", "-DEBUG", "-f", "--since", "-5m"])
        else {
            panic!("tail is not parsed");
        };
        assert_eq!(
            (&tail.filter[..], tail.since.as_deref(), tail.follow),
            (&["-DEBUG".to_owned()][..], Some("-5m"), true)
        );
        assert_eq!(global.app.as_deref(), Some("tail"));
    }

    #[test]
    fn help_is_shown_and_mistyped_options_are_rejected() {
        for help in ["-h", "--help"] {
            assert_eq!(parsed(&["publish", help]).unwrap_err().kind(), ErrorKind::DisplayHelp);
        }
        for typo in ["--typo", "--qiuet", "--typo=1", "--keys"] {
            let error = parsed(&["publish", typo]).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{typo}");
            assert!(error.to_string().contains("-- --"), "{error}");
        }
        for typo in ["-v", "-V", "-x"] {
            let error = parsed(&["publish", typo]).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{typo}");
            assert!(error.to_string().contains(&format!("-- {typo}")), "{error}");
            assert_eq!(published(&["--", typo]).data.as_deref(), Some(typo));
            assert_eq!(published(&["--key", typo, "x"]).key.as_deref(), Some(typo));
        }
        for args in [["tail", "--typo"], ["tail", "-x"], ["tail", "-fx"], ["status", "-q"], ["tail", "-1"]] {
            assert_eq!(parsed(&args).unwrap_err().kind(), ErrorKind::UnknownArgument, "{args:?}");
        }
        let error = parsed(&["publish", "--key", "-q", "x"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue);
        assert!(error.to_string().contains("--key=-q"), "{error}");
        let error = parsed(&["tail", "--filter", "--debug"]).unwrap_err();
        assert!(error.to_string().contains("--filter=--debug"), "{error}");
        assert_eq!(parsed(&["publish", "-a", "-b"]).unwrap_err().kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn a_short_option_takes_the_next_argument_or_the_rest_of_its_own() {
        let lines = |args: &[&str]| match parsed(&[&["tail"], args].concat()) {
            Ok(Cli { command: Subcommand::Tail(tail), .. }) => Ok((tail.lines, tail.follow)),
            Ok(other) => panic!("{args:?}: {other:?}"),
            Err(error) => Err(error.to_string()),
        };
        for args in [&["-n", "5"][..], &["-n5"], &["-n=5"], &["--lines", "5"]] {
            assert_eq!(lines(args), Ok((Some(5), false)), "{args:?}");
        }
        for args in [&["-fn", "5"][..], &["-fn5"], &["-fn=5"], &["-f", "-n5"], &["-n5", "-f"]] {
            assert_eq!(lines(args), Ok((Some(5), true)), "{args:?}");
        }
        for args in [&["-n", "-5"][..], &["-n=-5"], &["-n-5"], &["-fn", "-5"], &["-n", "x"]] {
            let error = lines(args).unwrap_err();
            assert!(error.contains("--lines <N>") && error.contains("from 0 to 100,000"), "{error}");
        }
        assert!(lines(&["-n"]).unwrap_err().contains("--lines <N>"));
        assert!(lines(&["-hn5"]).is_err() && lines(&["-nf"]).unwrap_err().contains("from 0 to 100,000"));
    }

    /// Help is `-h` alone: exit code 0 would mean that the command did its work.
    #[test]
    fn commands_without_data_reject_arguments_that_begin_like_help() {
        let commands = root();
        let names = commands.get_subcommands().filter(|command| !takes_data(command)).map(Command::get_name);
        for command in names.map(Some).chain([None]) {
            for argument in ["-heartbeat", "-hello", "-hx", "-Version", "-hh"] {
                let args: Vec<_> = command.into_iter().chain([argument]).collect();
                let error = parsed(&args).unwrap_err();
                assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{args:?}");
                assert!(error.to_string().contains(&format!("'{argument}'")), "{error}");
                assert!(error.to_string().contains("Usage: "), "{error}");
            }
        }
        assert_eq!(parsed(&["tail", "-fh"]).unwrap_err().kind(), ErrorKind::UnknownArgument);
    }

    proptest! {
        /// Any text is valid data and a valid value, unless it looks like an option.
        #[test]
        fn text_that_does_not_look_like_an_option_is_data(text in "-{0,3}[a-zA-Z0-9 =qh-]{0,8}") {
            let looks_like_one = text.strip_prefix("--").is_some_and(|name| name.is_empty() || is_option_name(name))
                || matches!(text.as_str(), "-q" | "-h" | "-qq" | "-qqq" | "-qqqq");
            let is_flags = text.starts_with("-q") && text[1..].bytes().all(|byte| byte == b'q');
            // `-q` is a flag of publish.
            if is_short_option(&text) && !is_flags {
                prop_assert!(parsed(&["publish", &text]).is_err());
            } else if !looks_like_one && !is_flags {
                let (as_data, as_key) = (published(&[&text]).data, published(&["--key", &text, "x"]).key);
                prop_assert_eq!((as_data.as_deref(), as_key.as_deref()), (Some(text.as_str()), Some(text.as_str())));
            } else if text.starts_with('-') {
                prop_assert!(parsed(&["publish", "--key", &text, "x"]).is_err());
            }
        }
    }
}
