//! AMX: whether the processor has tiles of bf16, and whether the system lets this process use them.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

/// True if the processor has tiles of bf16 and the system keeps their registers. This asks the system for nothing.
pub fn has_tiles() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(processor_has_tiles)
}

/// True if there are tiles and the system lets this process use them. It is asked once, for the whole
/// process, and from then on wants signal stacks to be large enough for the tiles: so only where they are to be used.
pub fn may_use_tiles() -> bool {
    static MAY: OnceLock<bool> = OnceLock::new();
    *MAY.get_or_init(|| has_tiles() && system_permits_tiles())
}

/// True if the processor has AMX with bf16, and the system keeps its registers.
fn processor_has_tiles() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const TILES: u32 = 1 << 22 | 1 << 24;
    /// The states of the tiles and of their configuration.
    const STATES: u64 = 1 << 17 | 1 << 18;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 || __cpuid_count(7, 0).edx & TILES != TILES {
        return false;
    }
    // SAFETY: the instruction is there where OSXSAVE is set, and register 0 always exists.
    unsafe { states() & STATES == STATES }
}

/// Extended control register 0: the states that the system keeps.
///
/// # Safety
/// The processor must have XSAVE, and the system must have enabled it.
#[target_feature(enable = "xsave")]
unsafe fn states() -> u64 {
    // SAFETY: the contract; register 0 always exists.
    unsafe { _xgetbv(0) }
}

/// Asks Linux for the use of tiles, which it refuses where a thread has a signal stack that is too small for them.
#[cfg(target_os = "linux")]
fn system_permits_tiles() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let answer: isize;
    // SAFETY: the call takes two numbers and touches no memory of this process; it changes the registers declared.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// Other systems are not known to grant it.
#[cfg(not(target_os = "linux"))]
fn system_permits_tiles() -> bool {
    false
}
