//! Memory that the process keeps between tensors, and vectors of unspecified values.

use std::collections::TryReserveError;
use std::mem::MaybeUninit;

use super::Element;

/// The smallest unit in which a system takes memory away and gives it back, in bytes: the page of x86-64 and the
/// smallest of AArch64.
#[cfg(any(test, all(not(debug_assertions), any(target_arch = "x86_64", target_arch = "aarch64"))))]
const PAGE: usize = 4096;

/// A vector of `len` elements of unspecified values, for a kernel to overwrite: filling it with zeros first would take
/// as long as many a kernel. In this crate's tests, and with debug assertions, it is filled with NaN, so that what is
/// not overwritten shows.
///
/// One element a page is written, some ten nanoseconds each, which is what makes the rest well defined.
pub(crate) fn unspecified<E: Element>(len: usize) -> Result<Vec<E>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(len)?;
    #[cfg(all(not(any(test, debug_assertions)), any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        back_by_large_pages(values.spare_capacity_mut());
        let spare = values.spare_capacity_mut();
        for place in one_a_page(len, size_of::<E>()) {
            spare[place].write(E::zero());
        }
        let start: *mut E = values.as_mut_ptr();
        // SAFETY: the vector has room for `len` elements, so the length is within its capacity. What is left to show is
        // that each has a value. The assembly is handed the memory and has neither `readonly` nor `nomem`, so that for
        // the compiler it may write anything there; what it stands for is writing to each byte what the byte holds
        // already. Every pattern of bits is a value of `E`, which is `f32` or `f64`. It need not execute that: a byte
        // that holds something definite is not changed by it, and each does, for the loop has written to every page of
        // the memory. What a byte of a page holds that was not written to since it was last given back to the system
        // (`MADV_FREE`) may still change to zero by itself; once written to, a page is this process's, and changes by
        // its own stores alone. So it does not matter which allocator the memory is from, or what it did with it
        // before.
        unsafe {
            std::arch::asm!("/* {0} */", in(reg) start, options(nostack, preserves_flags));
            values.set_len(len);
        }
    }
    #[cfg(any(test, debug_assertions, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    values.resize(len, if cfg!(any(test, debug_assertions)) { E::nan() } else { E::zero() });
    Ok(values)
}

/// Places of elements of which at least one is in every page that `len` elements of a size reach into, wherever in a
/// page they begin.
#[cfg(any(test, all(not(debug_assertions), any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn one_a_page(len: usize, size: usize) -> impl Iterator<Item = usize> {
    // The last step may begin in one page and end in the next.
    (0..len).step_by(PAGE / size).chain(len.checked_sub(1))
}

/// Asks the system to back memory that was not written to yet by pages of two megabytes, where it has whole ones.
///
/// The channels of a feature map are further apart than a page of four kilobytes, so that a kernel that reads across
/// them waits for the page table, twice so in a virtual machine. Nothing but speed depends on whether the system does
/// it: Linux does where `/sys/kernel/mm/transparent_hugepage/enabled` says `madvise` or `always`.
pub fn back_by_large_pages<E>(memory: &mut [MaybeUninit<E>]) {
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let (start, bytes) = (memory.as_mut_ptr().cast::<u8>(), size_of_val(memory));
        let skipped = start.align_offset(LARGE);
        let whole = bytes.saturating_sub(skipped) / LARGE * LARGE;
        if whole > 0 {
            // SAFETY: the range starts within `memory`, as `skipped` is less than its `bytes`, and ends within it.
            // `MADV_HUGEPAGE` says how a range is to be backed and leaves what it holds and who may use it as they are.
            // A system that does not know it refuses, which changes nothing.
            unsafe { libc::madvise(start.add(skipped).cast(), whole, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

/// Makes the allocator keep freed memory for the next tensor of that size, instead of giving it back to the system.
///
/// A network frees its feature maps and gradients after every step and asks for the same ones in the next. By default
/// the GNU C library maps each large one anew, and every page of it faults and is zeroed again, which takes longer than
/// the kernels that fill it. Memory use stays at the peak of the process. For a program to call once, at its start;
/// does nothing, and returns false, where the C library is another.
pub fn keep_freed_memory() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: `mallopt` takes two integers by value and locks the allocator itself. The settings decide when memory
        // goes back to the system, never what an allocation may be used for.
        unsafe { libc::mallopt(libc::M_MMAP_MAX, 0) == 1 && libc::mallopt(libc::M_TRIM_THRESHOLD, -1) == 1 }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{PAGE, one_a_page};

    #[test]
    fn unspecified_memory_is_as_long_as_asked_for() {
        let mut values = super::unspecified::<f32>(1000).unwrap();
        assert_eq!(values.len(), 1000);
        assert!(values.iter().all(|value| value.is_nan()));
        values.fill(1.0);
        assert_eq!(values.iter().sum::<f32>(), 1000.0);
        assert!(super::unspecified::<f64>(0).unwrap().is_empty());
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        assert!(super::unspecified::<f64>(usize::MAX / 16).is_err());
    }

    #[test]
    fn every_page_is_written_to() {
        let cases = (0..3).flat_map(|pages| (0..5).map(move |more| pages * PAGE / 4 + more));
        for (len, begin) in cases.flat_map(|len| [0, 4, 2048, PAGE - 4].map(|begin| (len, begin))) {
            let page = |place: usize| (begin + 4 * place) / PAGE;
            let written: BTreeSet<usize> = one_a_page(len, 4).map(page).collect();
            assert_eq!(written, (0..len).map(page).collect(), "{len} elements from {begin} on");
        }
        assert_eq!(one_a_page(1024, 8).collect::<Vec<_>>(), [0, 512, 1023]);
    }

    #[test]
    fn memory_asked_for_in_large_pages_is_as_good_as_any() {
        // Less than a large page, and several of them that do not start at one.
        for len in [0, 1000, (7 << 20) + 3] {
            let mut values = Vec::<u8>::with_capacity(len + 1);
            super::back_by_large_pages(&mut values.spare_capacity_mut()[1..]);
            values.extend((0..len).map(|i| i as u8));
            assert!(values.iter().enumerate().all(|(i, &value)| value == i as u8));
        }
    }

    #[test]
    fn the_setting_is_taken_where_the_library_has_it() {
        assert_eq!(super::keep_freed_memory(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }
}
