//! How the process keeps memory between tensors.

/// Makes the allocator keep freed memory for the next tensor of that size, in the place of giving it back to the system.
///
/// A network frees its feature maps and gradients after every step and asks for the same ones in the next. By default the
/// GNU C library maps each large one anew, and every page of it faults and is zeroed again, which takes longer than the
/// kernels that fill it. Memory use stays at the peak of the process. For a program to call once, at its start; does
/// nothing, and returns false, where the C library is another.
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
    #[test]
    fn the_setting_is_taken_where_the_library_has_it() {
        assert_eq!(super::keep_freed_memory(), cfg!(all(target_os = "linux", target_env = "gnu")));
    }
}
