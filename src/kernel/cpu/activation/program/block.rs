//! Blocks of elements, in which a program is evaluated: one instruction after the other over all elements of a block,
//! so that what chooses the instruction is done once a block.

use super::list::{Instruction, List, Outputs};
use super::operation::{Operation, for_every_operation, select, sigmoid, sign, softplus};
use crate::kernel::Element;
use crate::kernel::cpu::simd::Lane;

/// Elements of a block: a program of up to 40 registers stays within a first cache level of 48 KiB in `f32`. A multiple
/// of the number of elements in any register.
pub(super) const BLOCK: usize = 256;

/// What one register of a program holds. Registers of the processor are loaded from whole cache lines.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Block<E>(pub [E; BLOCK]);

/// The registers of a program; a thread keeps them.
#[derive(Debug)]
pub(super) struct Registers<E>(Vec<Block<E>>);

impl<E> Default for Registers<E> {
    fn default() -> Self {
        Registers(Vec::new())
    }
}

impl<E: Element> Registers<E> {
    /// The registers of a list, with its constants in place.
    pub fn ready(&mut self, params: usize, list: &List) -> &mut [Block<E>] {
        if self.0.len() < list.registers {
            self.0.resize(list.registers, Block([E::zero(); BLOCK]));
        }
        for (register, &constant) in self.0[1 + params..].iter_mut().zip(&list.constants) {
            register.0.fill(E::of(constant));
        }
        &mut self.0[..list.registers]
    }
}

impl<E: Element> Block<E> {
    /// Takes elements, and zeros up to the end of the last register of the processor.
    #[inline(always)]
    pub fn fill_from<V: Lane<Elem = E>>(&mut self, elements: &[E]) {
        self.0[..elements.len()].copy_from_slice(elements);
        self.0[elements.len()..elements.len().next_multiple_of(V::WIDTH)].fill(E::zero());
    }
}

/// Runs the instructions that some output in `wanted` depends on, over at least the first `len` elements.
#[inline(always)]
pub(super) fn run<V: Lane>(list: &List, wanted: Outputs, len: usize, registers: &mut [Block<V::Elem>]) {
    for instruction in list.instructions.iter().filter(|instruction| instruction.outputs & wanted != 0) {
        apply::<V>(instruction, len, registers);
    }
}

#[inline(always)]
fn apply<V: Lane>(instruction: &Instruction, len: usize, registers: &mut [Block<V::Elem>]) {
    let Instruction { operation, operands: [first, second, third], target, .. } = *instruction;
    macro_rules! pairs {
        ($other:expr, $a:ident => $pair:expr) => {
            for at in (0..len).step_by(V::WIDTH) {
                let $a = V::load(&registers[first].0[at..]);
                let (one, other): (V, V) = $pair;
                one.store(&mut registers[target].0[at..]);
                other.store(&mut registers[$other].0[at..]);
            }
        };
    }
    macro_rules! loops {
        ($($(#[$doc:meta])* $name:ident($($operand:ident),+) = $value:expr,)+) => {
            match operation {
                $(Operation::$name => {
                    for at in (0..len).step_by(V::WIDTH) {
                        let mut numbers = [first, second, third].into_iter();
                        $(let $operand = V::load(&registers[numbers.next().unwrap_or_default()].0[at..]);)+
                        let value: V = $value;
                        value.store(&mut registers[target].0[at..]);
                    }
                })+
            }
        };
    }
    match (operation, instruction.second) {
        (Operation::Sin, Some(other)) => pairs!(other, a => a.sin_cos()),
        (Operation::Sigmoid, Some(other)) => pairs!(other, a => sigmoid(a)),
        _ => for_every_operation!(loops),
    }
}
