//! The launcher of several processes, as the environment tells of it.

/// Variables of launchers with the number of processes, and those with the number of this one: Open MPI's `mpirun`,
/// MPICH's and Intel's (PMI), and Slurm's `srun`.
const VARIABLES: [(&str, &str); 3] = [
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("PMI_SIZE", "PMI_RANK"),
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

/// A launcher that has started several processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The environment variable that says so.
    pub variable: &'static str,
    /// Number of processes, at least 2.
    pub count: usize,
    /// Number of this process, from 0.
    pub rank: usize,
}

impl Launcher {
    /// The launcher that the variables of an environment tell of; `None` if there is but this process.
    pub fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let number = |name: &str| variable(name)?.trim().parse::<usize>().ok();
        VARIABLES.iter().find_map(|&(name, of_rank)| {
            let count = number(name).filter(|&count| count > 1)?;
            Some(Self { variable: name, count, rank: number(of_rank).unwrap_or_default() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launchers_are_known_by_their_variables() {
        let find = |set: &[(&str, &str)]| {
            Launcher::find(|name| set.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
        };
        for (count, rank) in VARIABLES {
            let expected = Launcher { variable: count, count: 4, rank: 3 };
            assert_eq!(find(&[(count, "4"), (rank, "3")]), Some(expected));
            assert_eq!(find(&[(count, "1"), (rank, "0")]), None);
            assert_eq!(find(&[(count, "many"), (rank, "0")]), None);
        }
        // A batch script itself is one process, however many its steps will have.
        assert_eq!(find(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0")]), None);
        // One process that `srun` has started in turn starts several.
        let inner = [("SLURM_STEP_NUM_TASKS", "1"), ("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")];
        assert_eq!(find(&inner).map(|found| (found.count, found.rank)), Some((2, 1)));
    }
}
