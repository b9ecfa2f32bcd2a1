//! Locked memory, with what the kernel says of it (VmLck in /proc/self/status) beside what we say. Each test is alone
//! in its process: the limit, and what is locked, belong to a process.

#![cfg(all(feature = "device", target_os = "linux"))]

mod device_common;

use device_common::{alone, has, is_child, not_run, turn};
use ictus::device::{Locked, Rank, lock_memory, locked_bytes, touch_memory};

const KIB: usize = 1024;

/// Runs the test again, alone, allowed to lock this much. True in the test itself.
fn limited(name: &str, kib: usize) -> bool {
    if is_child() {
        return true;
    }
    let _turn = turn();
    if !has("setpriv") || !has("prlimit") {
        not_run("setpriv or prlimit is not installed");
        return false;
    }
    let limit = format!("--memlock={0}:{0}", kib * KIB);
    // With CAP_IPC_LOCK there would be no limit.
    let words = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", "prlimit", &limit];
    alone(name, &words, &[]);
    false
}

/// kB of a line of /proc/self/status.
fn status(key: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).expect("it has this line");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
}

fn lock(rank: Rank, memory: &[u8]) -> Locked {
    lock_memory(rank, memory.as_ptr(), memory.len())
}

/// Bytes on pages of their own.
fn pages(bytes: usize) -> Vec<u8> {
    // Above the allocator's threshold such a piece is mapped by itself, with its length before it.
    vec![1; bytes.max(256 * KIB)]
}

fn assert_kernel_agrees() {
    assert_eq!(locked_bytes(), status("VmLck") as u64 * 1024);
}

#[test]
fn what_is_locked_is_what_the_kernel_says_and_goes_with_its_owner() {
    if !limited("what_is_locked_is_what_the_kernel_says_and_goes_with_its_owner", 4096) {
        return;
    }
    let (one, other) = (pages(512 * KIB), pages(300 * KIB));
    let first = lock(Rank::Engine, &one);
    assert!(locked_bytes() >= 512 * 1024);
    assert_kernel_agrees();
    let second = lock(Rank::Body, &other);
    assert_kernel_agrees();
    drop(first);
    assert!((300 * 1024..320 * 1024).contains(&locked_bytes()), "{}", locked_bytes());
    assert_kernel_agrees();
    drop(second);
    assert_eq!((locked_bytes(), status("VmLck")), (0, 0));
}

#[test]
fn neighbours_on_one_page_do_not_unlock_each_other() {
    if !limited("neighbours_on_one_page_do_not_unlock_each_other", 4096) {
        return;
    }
    let memory = pages(256 * KIB);
    let (left, right) = memory.split_at(10_000);
    let (first, second) = (lock(Rank::Head, left), lock(Rank::Body, right));
    assert_kernel_agrees();
    let both = locked_bytes();
    drop(first);
    // 10 000 bytes reach into the third page at least, which belongs to the other half, too.
    assert!(locked_bytes() < both && locked_bytes() >= right.len() as u64);
    assert_kernel_agrees();
    let first = lock(Rank::Head, left);
    drop(second);
    assert!(locked_bytes() >= 10_000 && locked_bytes() < 20_000);
    assert_kernel_agrees();
    drop(first);
    assert_eq!(status("VmLck"), 0);
}

#[test]
fn what_matters_more_displaces_what_matters_less() {
    if !limited("what_matters_more_displaces_what_matters_less", 1024) {
        return;
    }
    let (body, engine, head) = (pages(2048 * KIB), pages(600 * KIB), pages(600 * KIB));
    let _body = lock(Rank::Body, &body);
    assert_kernel_agrees();
    assert!(locked_bytes() > 900 * 1024, "the beginning of what does not fit: {}", locked_bytes());
    let _engine = lock(Rank::Engine, &engine);
    assert_kernel_agrees();
    assert!((600 * 1024..700 * 1024).contains(&locked_bytes()), "the body is out: {}", locked_bytes());
    let _head = lock(Rank::Head, &head);
    assert_kernel_agrees();
    assert!((900 * 1024..=1024 * 1024).contains(&locked_bytes()), "and a part of the head in");
    let more = pages(600 * KIB);
    let before = locked_bytes();
    let _more = lock(Rank::Queue, &more);
    assert!(locked_bytes() <= before + 128 * 1024, "but never at the cost of what matters more");
    assert_kernel_agrees();
}

#[test]
fn what_does_not_fit_takes_nothing_from_its_neighbour() {
    if !limited("what_does_not_fit_takes_nothing_from_its_neighbour", 1024) {
        return;
    }
    let (memory, filler) = (pages(4096 * KIB), pages(1024 * KIB));
    let (large, last) = memory.split_at(memory.len() - 10_000);
    let _last = lock(Rank::Engine, last);
    let _rest = lock(Rank::Engine, &filler); // all that is left
    assert_kernel_agrees();
    let full = locked_bytes();
    let _large = lock(Rank::Body, large);
    assert_eq!(locked_bytes(), full);
    assert_kernel_agrees();
}

#[test]
fn without_permission_nothing_is_locked_and_nothing_is_claimed() {
    if !limited("without_permission_nothing_is_locked_and_nothing_is_claimed", 0) {
        return;
    }
    let memory = pages(256 * KIB);
    let locked = lock(Rank::Engine, &memory);
    assert_eq!((locked_bytes(), status("VmLck")), (0, 0));
    drop(locked);
}

#[test]
fn touched_memory_is_there_before_it_is_used_and_keeps_its_content() {
    const NAME: &str = "touched_memory_is_there_before_it_is_used_and_keeps_its_content";
    if !is_child() {
        let _turn = turn();
        return alone(NAME, &[], &[]);
    }
    let memory: Vec<u64> = Vec::with_capacity(4 << 20); // 32 MiB that nobody has written to
    let before = status("VmRSS");
    touch_memory(memory.as_ptr().cast(), memory.capacity() * 8);
    let grown = status("VmRSS") - before;
    if grown == 0 {
        return device_common::does_not_apply("this kernel knows no MADV_POPULATE_WRITE");
    }
    assert!(grown >= 30 * 1024, "{grown} kB");
    let written = vec![7u8; 1 << 20];
    touch_memory(written.as_ptr(), written.len());
    assert!(written.iter().all(|byte| *byte == 7));
}
