//! Scratch: bytes that this process alone has use for and memory has no room for, in files of the state directory that have no
//! names. They are never synced, and gone with the process however it ends.
//!
//! What is no longer used is given back to the file system at once where that can punch holes into files, elsewhere when a whole
//! file of [`FILE_BYTES`] is unused.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustix::fs::{FallocateFlags, fallocate};

use super::error::StateError;

/// Another file is begun behind so many bytes.
const FILE_BYTES: u64 = 1 << 30;
/// So many bytes are written at once.
const BUFFER: usize = 256 << 10;

/// Where scratch is made.
pub struct Scratch {
    /// `None`: where the system has its temporary files.
    folder: Option<PathBuf>,
    last: Mutex<Option<Tail>>,
}

/// The file that is being filled.
struct Tail {
    file: Arc<File>,
    /// What lies behind is nobody's.
    end: u64,
}

/// A stretch of a file, given back when it is dropped.
pub struct Extent {
    file: Arc<File>,
    begin: u64,
    len: u64,
}

/// Fills an extent from its begin.
pub struct Filling {
    extent: Extent,
    /// Bytes that there is room for.
    room: u64,
    buffer: Vec<u8>,
}

impl Scratch {
    pub fn new(folder: Option<PathBuf>) -> Scratch {
        Scratch { folder, last: Mutex::default() }
    }

    /// Begins an extent of at most so many bytes.
    pub fn begin(&self, room: u64) -> Result<Filling, StateError> {
        let mut last = self.last.lock().expect("no thread panics while it holds the place of scratch");
        let tail = match last.as_mut().filter(|tail| tail.end < FILE_BYTES) {
            Some(tail) => tail,
            None => last
                .insert(Tail { file: Arc::new(self.file().map_err(|error| StateError::io("make a file for scratch", &error))?), end: 0 }),
        };
        let extent = Extent { file: tail.file.clone(), begin: tail.end, len: 0 };
        tail.end += room;
        Ok(Filling { extent, room, buffer: Vec::new() })
    }

    fn file(&self) -> io::Result<File> {
        match &self.folder {
            Some(folder) => tempfile::tempfile_in(folder),
            None => tempfile::tempfile(),
        }
    }
}

impl Filling {
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER { self.write() } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<Extent, StateError> {
        self.write()?;
        Ok(self.extent)
    }

    fn write(&mut self) -> Result<(), StateError> {
        let extent = &mut self.extent;
        let len = extent.len + self.buffer.len() as u64;
        if len > self.room {
            return Err(StateError::Misuse("more scratch was written than was asked for".to_string()));
        }
        let written = extent.file.write_all_at(&self.buffer, extent.begin + extent.len);
        written.map_err(|error| StateError::io("write scratch", &error))?;
        extent.len = len;
        self.buffer.clear();
        Ok(())
    }
}

impl Extent {
    /// Reads so many bytes from there on, counted from the extent's begin.
    pub fn read(&self, from: u64, len: usize) -> Result<Vec<u8>, StateError> {
        debug_assert!(from + len as u64 <= self.len);
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, self.begin + from).map_err(|error| StateError::io("read scratch", &error))?;
        Ok(bytes)
    }
}

impl Drop for Extent {
    fn drop(&mut self) {
        if self.len > 0 {
            // Where there are no holes the space comes back with the file.
            let _ = fallocate(&*self.file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, self.begin, self.len);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn filled(scratch: &Scratch, byte: u8, len: usize) -> Extent {
        let mut filling = scratch.begin(len as u64 + 100).unwrap();
        for part in vec![byte; len].chunks(1000) {
            filling.put(part).unwrap();
        }
        filling.finish().unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_nothing_stays_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(Some(dir.path().to_path_buf()));
        let extents: Vec<Extent> = (1..=5).map(|byte| filled(&scratch, byte, 700_000)).collect();
        for (extent, byte) in extents.iter().zip(1..) {
            assert!(extent.read(0, 700_000).unwrap() == vec![byte; 700_000]);
            assert_eq!(extent.read(699_990, 10).unwrap(), [byte; 10]);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let file = extents[0].file.clone();
        let blocks = file.metadata().unwrap().blocks();
        let mut extents = extents;
        extents.drain(1..4);
        if file.metadata().unwrap().blocks() == blocks {
            eprintln!("the file system of {} has no holes", dir.path().display());
        } else {
            assert!(file.metadata().unwrap().blocks() < blocks / 2);
        }
        assert!(extents[0].read(0, 700_000).unwrap() == vec![1; 700_000] && extents[1].read(0, 700_000).unwrap() == vec![5; 700_000]);
    }

    #[test]
    fn no_more_is_written_than_there_is_room_for() {
        let scratch = Scratch::new(None);
        let mut filling = scratch.begin(10).unwrap();
        filling.put(&[1; 11]).unwrap();
        assert!(matches!(filling.finish(), Err(StateError::Misuse(_))));
        let empty = scratch.begin(10).unwrap().finish().unwrap();
        assert!(empty.read(0, 0).unwrap().is_empty());
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(Some(dir.path().join("none")));
        assert!(matches!(scratch.begin(1), Err(StateError::Io { .. })));
    }
}
