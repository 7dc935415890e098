//! Where the key comes from that signs: a Foundry keystore, a mnemonic in a file, or the environment. Never
//! the command line, which other users of the machine and the shell's history can read.

use crate::problem::Problem;
use alloy::signers::local::{LocalSignerError, MnemonicBuilder, PrivateKeySigner};
use clap::Args;
use eyre::{Result, WrapErr};
use serde_json::Value;
use std::{
    fs,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

/// The variable that may hold a private key in hexadecimal.
pub(crate) const PRIVATE_KEY_VARIABLE: &str = "ERRAND_PRIVATE_KEY";

const THREE_WAYS: &str = "give it in one of three ways: --account NAME (a keystore made by `cast wallet import NAME`) or \
     --keystore PATH; --mnemonic-file PATH; or the environment variable ERRAND_PRIVATE_KEY";

/// What BIP-32 has for accounts that are not hardened.
const MAX_MNEMONIC_INDEX: u32 = (1 << 31) - 1;

const KEYSTORE_HINT: &str = "a keystore is a JSON file as `cast wallet import` makes it";

/// The key that signs. One source is enough; a private key itself is never taken from the command line.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Key")]
pub(crate) struct KeyArgs {
    /// Name of a Foundry keystore in ~/.foundry/keystores, as `cast wallet import` makes them. Without a keystore
    /// and a mnemonic the private key is taken from the variable ERRAND_PRIVATE_KEY.
    #[arg(long, value_name = "NAME", env = "ERRAND_ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Path of a keystore file (Web3 Secret Storage).
    #[arg(long, value_name = "PATH", env = "ERRAND_KEYSTORE")]
    pub(crate) keystore: Option<PathBuf>,
    /// File with the keystore's password; without it the password is asked for.
    #[arg(long, value_name = "PATH", env = "ERRAND_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// File with a mnemonic phrase in English.
    #[arg(long, value_name = "PATH", env = "ERRAND_MNEMONIC_FILE")]
    pub(crate) mnemonic_file: Option<PathBuf>,
    /// Which of the mnemonic's accounts: the last number of m/44'/60'/0'/0/N.
    #[arg(long, value_name = "N", env = "ERRAND_MNEMONIC_INDEX", default_value_t = 0)]
    pub(crate) mnemonic_index: u32,
}

impl KeyArgs {
    /// Whether any source is named, the environment's private key included.
    pub(crate) fn is_given(&self) -> bool {
        self.account.is_some()
            || self.keystore.is_some()
            || self.mnemonic_file.is_some()
            || std::env::var_os(PRIVATE_KEY_VARIABLE).is_some()
    }

    /// Loads the key.
    ///
    /// # Errors
    /// A [`Problem`] that names what is missing, unreadable or wrong, and never holds a secret.
    pub(crate) fn load(&self) -> Result<PrivateKeySigner> {
        self.load_with(std::env::var(PRIVATE_KEY_VARIABLE).ok().as_deref(), ask_password)
    }

    /// Loads the key of an account that can be named without one, too: `instead` says how.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn load_or(&self, instead: &str) -> Result<PrivateKeySigner> {
        if self.is_given() { self.load() } else { Err(no_key(&format!("{instead}; or, with a key, "))) }
    }

    fn load_with(
        &self,
        private_key: Option<&str>,
        ask: impl FnOnce(&Path) -> Result<String>,
    ) -> Result<PrivateKeySigner> {
        let keystore = match (&self.account, &self.keystore) {
            (Some(name), None) => Some(keystore_of_account(name)?),
            (None, path) => path.clone(),
            (Some(_), Some(_)) => return Err(two_sources("--account", "--keystore")),
        };
        // What is named on the command line is meant more than a variable that may be left from yesterday.
        match (keystore, &self.mnemonic_file, private_key) {
            (Some(_), Some(_), _) => Err(two_sources("a keystore", "--mnemonic-file")),
            (Some(path), None, _) => {
                if !path.is_file() {
                    return Err(no_keystore(&path, self.account.as_deref()));
                }
                let password = match &self.password_file {
                    Some(file) => read_secret(file, "password file")?,
                    None => ask(&path)?,
                };
                from_keystore(&path, &password)
            }
            (None, Some(path), _) => {
                let phrase = read_secret(path, "mnemonic file")?;
                from_mnemonic(path, phrase.trim(), self.mnemonic_index)
            }
            (None, None, Some(key)) => from_private_key(key),
            (None, None, None) => Err(no_key("")),
        }
    }
}

fn no_key(instead: &str) -> eyre::Report {
    Problem::usage("no key to sign with").hint(format!("{instead}{THREE_WAYS}")).into()
}

fn two_sources(one: &str, other: &str) -> eyre::Report {
    Problem::usage(format!("{one} and {other} each name a key"))
        .hint("leave one of them out, and look for ERRAND_ACCOUNT, ERRAND_KEYSTORE and ERRAND_MNEMONIC_FILE in the environment")
        .into()
}

fn keystore_of_account(name: &str) -> Result<PathBuf> {
    if name.contains(['/', '\\']) {
        return Err(Problem::usage(format!("`{name}` is a path, not the name of an account"))
            .hint("use --keystore for a path")
            .into());
    }
    let home = dirs::home_dir().ok_or_else(|| {
        Problem::new("the home directory is not known, so there is no ~/.foundry/keystores")
            .hint("name the file with --keystore PATH")
    })?;
    Ok(home.join(".foundry").join("keystores").join(name))
}

fn no_keystore(path: &Path, account: Option<&str>) -> eyre::Report {
    let hint = match account {
        Some(name) => format!(
            "make it with `cast wallet import {name} --interactive`, or list what there is with `cast wallet list`"
        ),
        None => "check the path".to_owned(),
    };
    Problem::new(format!("there is no keystore {}", path.display())).hint(hint).into()
}

/// The first line of a file, so that an editor's last newline is no part of the secret.
fn read_secret(path: &Path, what: &str) -> Result<String> {
    let text = fs::read_to_string(path).wrap_err_with(|| {
        Problem::new(format!("the {what} {} cannot be read", path.display()))
            .hint("check the path and who may read it")
    })?;
    Ok(text.lines().next().unwrap_or_default().trim_end_matches('\r').to_owned())
}

fn ask_password(keystore: &Path) -> Result<String> {
    if !io::stdin().is_terminal() {
        return Err(Problem::usage(format!(
            "the keystore {} needs a password, and there is no terminal to ask",
            keystore.display()
        ))
        .hint("name a file with --password-file PATH")
        .into());
    }
    dialoguer::Password::new()
        .with_prompt(format!("Password of {}", keystore.display()))
        .allow_empty_password(true)
        .interact()
        .wrap_err("the password was not entered")
}

/// Refuses files on which the library would panic: it takes lengths for granted.
fn has_sound_lengths(path: &Path) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return false };
    let Ok(json) = serde_json::from_str::<Value>(&text) else { return false };
    let crypto = json.get("crypto").or_else(|| json.get("Crypto")).unwrap_or(&Value::Null);
    let key_length = crypto.pointer("/kdfparams/dklen").and_then(Value::as_u64);
    let iv_digits = crypto.pointer("/cipherparams/iv").and_then(Value::as_str).map(str::len);
    key_length == Some(32) && iv_digits == Some(32)
}

fn from_keystore(path: &Path, password: &str) -> Result<PrivateKeySigner> {
    if !has_sound_lengths(path) {
        return Err(Problem::new(format!("the file {} is no keystore", path.display()))
            .hint(KEYSTORE_HINT)
            .into());
    }
    PrivateKeySigner::decrypt_keystore(path, password).map_err(|error| {
        let shown = path.display();
        match error {
            // The type of the inner error belongs to a crate that alloy does not export.
            LocalSignerError::EthKeystoreError(inner) if inner.to_string() == "Mac Mismatch" => {
                Problem::new(format!("the password does not open the keystore {shown}"))
                    .hint("try again, or check the file named with --password-file")
            }
            other => Problem::new(format!("the file {shown} is no keystore that can be read: {other}"))
                .hint(KEYSTORE_HINT),
        }
        .into()
    })
}

fn from_mnemonic(path: &Path, phrase: &str, index: u32) -> Result<PrivateKeySigner> {
    if index > MAX_MNEMONIC_INDEX {
        return Err(Problem::usage(format!(
            "a mnemonic has no account {index}: the last one is {MAX_MNEMONIC_INDEX}"
        ))
        .hint("mend --mnemonic-index N")
        .into());
    }
    MnemonicBuilder::try_from_phrase_nth(phrase, index).map_err(|_| {
        // The library's error may repeat a word of the phrase.
        Problem::new(format!("the file {} holds no valid mnemonic phrase", path.display()))
            .hint("the first line has to be 12 to 24 English words of BIP-39 with a valid checksum")
            .into()
    })
}

fn from_private_key(key: &str) -> Result<PrivateKeySigner> {
    key.trim().parse().map_err(|_| {
        Problem::usage(format!("{PRIVATE_KEY_VARIABLE} holds no private key"))
            .hint("it has to be 64 hexadecimal digits, with or without 0x")
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{EXIT_USAGE, describe, exit_code};
    use alloy::{
        primitives::{Address, address},
        signers::k256::elliptic_curve::rand_core::OsRng,
    };
    use tempfile::TempDir;

    /// The first account of the mnemonic that development chains use.
    const PHRASE: &str = "test test test test test test test test test test test junk";
    const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const FIRST: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    const SECOND: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

    fn never_ask(_: &Path) -> Result<String> {
        panic!("nothing is to be asked")
    }

    fn keystore(folder: &TempDir, password: &str) -> PathBuf {
        let signer: PrivateKeySigner = KEY.parse().unwrap();
        PrivateKeySigner::encrypt_keystore(
            folder.path(),
            &mut OsRng,
            signer.to_bytes(),
            password,
            Some("key"),
        )
        .unwrap();
        folder.path().join("key")
    }

    fn file(folder: &TempDir, name: &str, content: &str) -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    #[test]
    fn keystore_opens_with_the_password_file() {
        let folder = TempDir::new().unwrap();
        let args = KeyArgs {
            keystore: Some(keystore(&folder, "secret word")),
            password_file: Some(file(&folder, "password", "secret word\n")),
            ..KeyArgs::default()
        };
        assert_eq!(args.load_with(None, never_ask).unwrap().address(), FIRST);
        // a variable that is set beside it does not matter
        assert_eq!(args.load_with(Some("nonsense"), never_ask).unwrap().address(), FIRST);
    }

    #[test]
    fn keystore_asks_for_the_password_and_says_when_it_is_wrong() {
        let folder = TempDir::new().unwrap();
        let args = KeyArgs { keystore: Some(keystore(&folder, "right")), ..KeyArgs::default() };
        assert_eq!(args.load_with(None, |_| Ok("right".into())).unwrap().address(), FIRST);
        let text = describe(&args.load_with(None, |_| Ok("wr0ng".into())).unwrap_err());
        assert!(text.contains("password does not open the keystore"), "{text}");
        assert!(!text.contains("wr0ng"), "{text}");
    }

    #[test]
    fn files_that_are_missing_or_something_else_are_named() {
        let folder = TempDir::new().unwrap();
        let missing = folder.path().join("missing");
        let with_keystore = |path: PathBuf| KeyArgs { keystore: Some(path), ..KeyArgs::default() };
        let text = describe(&with_keystore(missing.clone()).load_with(None, never_ask).unwrap_err());
        assert!(text.contains("there is no keystore") && text.contains("missing"), "{text}");

        let garbage = file(&folder, "garbage", "{}");
        let text = describe(&with_keystore(garbage).load_with(None, |_| Ok(String::new())).unwrap_err());
        assert!(text.contains("garbage is no keystore"), "{text}");

        let sound = fs::read_to_string(keystore(&folder, "word")).unwrap();
        for (from, to) in [("\"dklen\":32", "\"dklen\":8"), ("\"iv\":\"", "\"iv\":\"00")] {
            assert!(sound.contains(from), "{sound}");
            let path = file(&folder, "odd", &sound.replace(from, to));
            let text = describe(&with_keystore(path).load_with(None, |_| Ok("word".into())).unwrap_err());
            assert!(text.contains("odd is no keystore"), "{text}");
        }

        let args = KeyArgs { mnemonic_file: Some(missing), ..KeyArgs::default() };
        let text = describe(&args.load_with(None, never_ask).unwrap_err());
        assert!(text.contains("mnemonic file") && text.contains("cannot be read"), "{text}");
    }

    #[test]
    fn mnemonic_gives_the_account_of_its_index() {
        let folder = TempDir::new().unwrap();
        let mnemonic_file = Some(file(&folder, "phrase", &format!("{PHRASE}\n")));
        let mut args = KeyArgs { mnemonic_file, ..KeyArgs::default() };
        assert_eq!(args.load_with(None, never_ask).unwrap().address(), FIRST);
        args.mnemonic_index = 1;
        assert_eq!(args.load_with(None, never_ask).unwrap().address(), SECOND);

        args.mnemonic_file = Some(file(&folder, "wrong", "test test junkyard"));
        let text = describe(&args.load_with(None, never_ask).unwrap_err());
        assert!(text.contains("no valid mnemonic") && !text.contains("junkyard"), "{text}");
    }

    #[test]
    fn private_key_comes_from_the_environment_only() {
        let args = KeyArgs::default();
        assert_eq!(args.load_with(Some(KEY), never_ask).unwrap().address(), FIRST);
        let report = args.load_with(Some("0xdeadbeef"), never_ask).unwrap_err();
        assert!(!describe(&report).contains("deadbeef"));
        assert_eq!(exit_code(&report), EXIT_USAGE);
    }

    #[test]
    fn without_a_key_the_three_ways_are_told() {
        let report = KeyArgs::default().load_with(None, never_ask).unwrap_err();
        let text = describe(&report);
        for way in ["--account", "--keystore", "--mnemonic-file", "ERRAND_PRIVATE_KEY"] {
            assert!(text.contains(way), "{text}");
        }
        assert_eq!(exit_code(&report), EXIT_USAGE);
    }

    #[test]
    fn two_sources_are_refused() {
        let args = KeyArgs { account: Some("a".into()), keystore: Some("b".into()), ..KeyArgs::default() };
        assert!(describe(&args.load_with(None, never_ask).unwrap_err()).contains("each name a key"));
        let args =
            KeyArgs { keystore: Some("b".into()), mnemonic_file: Some("c".into()), ..KeyArgs::default() };
        assert!(describe(&args.load_with(None, never_ask).unwrap_err()).contains("each name a key"));
    }

    #[test]
    fn an_account_is_a_name_and_no_path() {
        let args = KeyArgs { account: Some("../../etc/passwd".into()), ..KeyArgs::default() };
        assert!(
            describe(&args.load_with(None, never_ask).unwrap_err()).contains("not the name of an account")
        );
    }
}
