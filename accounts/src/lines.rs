//! Files of JSON lines that outlive a kill: a line that was acknowledged is on the disk.
//!
//! Many accounts write at the same time, and a disk needs milliseconds to be sure. One thread per file takes what has
//! gathered, writes it with one call, waits for the disk once, and then acknowledges all of it.

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Why a file of lines cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    #[error("cannot open {}; check that its folder is yours to write", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot read {}; check that it is yours to read, and text", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("line {line} of {} cannot be understood; move the file away to begin anew", path.display())]
    Syntax {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    #[error("cannot write {}; check that the disk has room: nothing more is changed in AWS without it", path.display())]
    Write { path: PathBuf },
    #[error("cannot put a shorter file in the place of {}, which is as it was; check that its disk has room", path.display())]
    Replace {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("a line for {} cannot be written as JSON; this is a fault of weir: please report it", path.display())]
    Encode {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

type Acknowledge = oneshot::Sender<bool>;

/// A file that lines are added to.
#[derive(Debug)]
pub struct Lines {
    path: PathBuf,
    sender: Option<Sender<(Vec<u8>, Acknowledge)>>,
    writer: Option<JoinHandle<()>>,
}

impl Lines {
    /// Opens or makes the file. A last line that a kill cut off is closed, so that the next one stands by itself.
    pub fn open(path: &Path) -> Result<Self, LinesError> {
        let failed = |source| LinesError::Open { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        // What is written in hundreds of accounts is not for every user of this machine.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        if file.seek(SeekFrom::End(0)).map_err(failed)? > 0 {
            file.seek(SeekFrom::End(-1)).map_err(failed)?;
            let mut last = [0_u8];
            file.read_exact(&mut last).map_err(failed)?;
            if last != *b"\n" {
                file.write_all(b"\n").map_err(failed)?;
            }
        }
        let (sender, receiver) = channel();
        let writer = std::thread::Builder::new()
            .name("weir-lines".into())
            .spawn(move || write(file, &receiver))
            .map_err(failed)?;
        Ok(Self { path: path.to_owned(), sender: Some(sender), writer: Some(writer) })
    }

    /// Adds a line; returns when it is on the disk.
    pub async fn append(&self, line: &impl Serialize) -> Result<(), LinesError> {
        let mut bytes = serde_json::to_vec(line)
            .map_err(|source| LinesError::Encode { path: self.path.clone(), source })?;
        bytes.push(b'\n');
        let (acknowledge, acknowledged) = oneshot::channel();
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send((bytes, acknowledge)).is_ok());
        if sent && acknowledged.await.unwrap_or(false) {
            Ok(())
        } else {
            Err(LinesError::Write { path: self.path.clone() })
        }
    }
}

/// Puts other lines in the place of a file's, all or none: they are on the disk before the file has its name.
pub fn replace(path: &Path, lines: &[impl Serialize]) -> Result<(), LinesError> {
    let failed = |source| LinesError::Replace { path: path.to_owned(), source };
    let beside = path.with_extension("new");
    let mut bytes = Vec::new();
    for line in lines {
        serde_json::to_writer(&mut bytes, line)
            .map_err(|source| LinesError::Encode { path: path.to_owned(), source })?;
        bytes.push(b'\n');
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    // The new name is on the disk when its folder is.
    match path.parent().map(File::open) {
        Some(folder) => folder.and_then(|folder| folder.sync_all()).map_err(failed),
        None => Ok(()),
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take() {
            // It ends when the channel is closed; a panic there was its own line's loss, and was reported to it.
            drop(writer.join());
        }
    }
}

fn write(mut file: File, receiver: &Receiver<(Vec<u8>, Acknowledge)>) {
    while let Ok((mut bytes, first)) = receiver.recv() {
        let mut waiting = vec![first];
        while let Ok((more, acknowledge)) = receiver.try_recv() {
            bytes.extend_from_slice(&more);
            waiting.push(acknowledge);
        }
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        if let Err(error) = &written {
            tracing::error!(%error, "cannot write lines");
        }
        for acknowledge in waiting {
            // Whoever no longer waits does not need to know.
            let _ = acknowledge.send(written.is_ok());
        }
    }
}

/// Reads the lines of a file, oldest first; none when there is no file. The last line may have been cut off by a kill
/// and is then left out; so is a line that was closed on the next start.
pub fn read<T: DeserializeOwned>(path: &Path, mut take: impl FnMut(T)) -> Result<(), LinesError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(LinesError::Read { path: path.to_owned(), source }),
    };
    let mut unread: Option<(usize, serde_json::Error)> = None;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|source| LinesError::Read { path: path.to_owned(), source })?;
        match serde_json::from_str(&line) {
            Ok(value) => take(value),
            // A line that ends in the middle was cut; one that is whole and wrong is somebody's doing.
            Err(_) if is_cut(&line) => {}
            Err(error) => unread = unread.or(Some((number + 1, error))),
        }
    }
    match unread {
        None => Ok(()),
        Some((line, source)) => Err(LinesError::Syntax { path: path.to_owned(), line, source }),
    }
}

/// Whether the line is the beginning of JSON.
fn is_cut(line: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(line).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    #[tokio::test]
    async fn lines_of_many_writers_are_all_there_and_a_cut_line_costs_itself_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        let lines = Lines::open(&path).unwrap();
        for done in join_all((0..500).map(|number: u32| {
            let lines = &lines;
            async move { lines.append(&number).await }
        }))
        .await
        {
            done.unwrap();
        }
        drop(lines);
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"cut\": ").unwrap();
        let lines = Lines::open(&path).unwrap();
        lines.append(&500).await.unwrap();
        drop(lines);
        let mut found: Vec<u32> = Vec::new();
        read(&path, |number| found.push(number)).unwrap();
        found.sort_unstable();
        assert_eq!(found, (0..=500).collect::<Vec<_>>());
    }

    #[test]
    fn a_line_that_somebody_wrote_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines.jsonl");
        std::fs::write(&path, "1\ntwo\n3\n").unwrap();
        let error = read(&path, |_: u32| ()).unwrap_err();
        assert!(error.to_string().starts_with("line 2 of "), "{error}");
        read(&folder.path().join("none"), |_: u32| ()).unwrap();
    }
}
