//! What the tests of this room share: WAV bytes written out by hand, and a folder that goes when the test does.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A fmt chunk's body of 16 bytes.
pub fn fmt(tag: u16, channels: u16, rate: u32, block: u16, bits: u16) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&tag.to_le_bytes());
    body.extend_from_slice(&channels.to_le_bytes());
    body.extend_from_slice(&rate.to_le_bytes());
    body.extend_from_slice(&rate.wrapping_mul(u32::from(block)).to_le_bytes());
    body.extend_from_slice(&block.to_le_bytes());
    body.extend_from_slice(&bits.to_le_bytes());
    body
}

/// The same as WAVEFORMATEXTENSIBLE, 40 bytes: the tag moves into the GUID.
pub fn extensible(plain: &[u8]) -> Vec<u8> {
    let mut body = plain.to_vec();
    body[..2].copy_from_slice(&[0xFE, 0xFF]);
    body.extend_from_slice(&[22, 0]); // cbSize
    body.extend_from_slice(&plain[14..16]); // wValidBitsPerSample
    body.extend_from_slice(&[4, 0, 0, 0]); // dwChannelMask: front centre
    body.extend_from_slice(&plain[..2]);
    body.extend_from_slice(&[0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    body
}

/// A chunk with its header and padding.
pub fn chunk(id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = id.to_vec();
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

/// A RIFF WAVE file of these chunks.
pub fn riff(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [b"WAVE".to_vec(), chunks.concat()].concat();
    [b"RIFF".to_vec(), (body.len() as u32).to_le_bytes().to_vec(), body].concat()
}

/// A 16-bit mono file at 44.1 kHz.
pub fn wav16(values: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    riff(&[chunk(b"fmt ", &fmt(1, 1, 44_100, 2, 16)), chunk(b"data", &data)])
}

/// A folder of its own for one test, removed when dropped.
pub struct TestDir(PathBuf);

impl TestDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ictus-load-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, making its folders, and returns its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes WAV files of one frame each; the n-th, counted from 1, has the value n/32768, to tell them apart.
    pub fn wavs(&self, names: &[&str]) {
        for (number, name) in (1..).zip(names) {
            self.file(name, &wav16(&[number]));
        }
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
