//! Blocks of elements, in which a program is evaluated: one instruction after the other over all elements of a block,
//! so that what chooses the instruction is done once a block.

use super::list::{Instruction, List, Outputs};
use super::operation::{Operation, for_every_operation, select, sigmoid, sign, softplus};
use crate::kernel::Element;
use crate::kernel::cpu::simd::{Lane, MAX_WIDTH};

/// Elements of a block: a program of up to 40 registers stays within a first cache level of 48 KiB in `f32`. A multiple
/// of the number of elements in any register.
pub(super) const BLOCK: usize = 256;

/// The elements of a block: what one register of a program holds.
pub(super) type Elements<E> = [E; BLOCK];

/// A register of a program. Registers of the processor are loaded from whole cache lines, and there is a gap before the
/// next block, so that none start a multiple of a page apart: loads would wait for stores to the same place of another
/// page.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Block<E>(pub Elements<E>, [E; MAX_WIDTH]);

/// The registers of a program; a thread keeps them. The first, that of x, is apart.
#[derive(Debug)]
pub(super) struct Registers<E> {
    x: Block<E>,
    all: Vec<Block<E>>,
}

impl<E: Element> Default for Registers<E> {
    fn default() -> Self {
        Registers { x: Block::zero(), all: Vec::new() }
    }
}

impl<E: Element> Registers<E> {
    /// The register of x, and the registers of a list by their numbers (the first is not used) with its constants in
    /// place.
    pub fn ready(&mut self, params: usize, list: &List) -> (&mut Block<E>, &mut [Block<E>]) {
        if self.all.len() < list.registers {
            self.all.resize(list.registers, Block::zero());
        }
        for (register, &constant) in self.all[1 + params..].iter_mut().zip(&list.constants) {
            register.0.fill(E::of(constant));
        }
        (&mut self.x, &mut self.all[..list.registers])
    }
}

impl<E: Element> Block<E> {
    fn zero() -> Self {
        Block([E::zero(); BLOCK], [E::zero(); MAX_WIDTH])
    }

    /// Writes `element` to the first `len` elements, and up to the end of the last register of the processor.
    #[inline(always)]
    pub fn fill_with<V: Lane<Elem = E>>(&mut self, len: usize, element: E) {
        self.0[..len.next_multiple_of(V::WIDTH)].fill(element);
    }

    /// Copies elements, followed by zeros up to the end of the last register of the processor.
    #[inline(always)]
    pub fn fill_from<V: Lane<Elem = E>>(&mut self, elements: &[E]) {
        self.0[..elements.len()].copy_from_slice(elements);
        self.0[elements.len()..elements.len().next_multiple_of(V::WIDTH)].fill(E::zero());
    }

    /// Elements as a block: themselves if they are one, or a copy.
    #[inline(always)]
    pub fn of<'a, V: Lane<Elem = E>>(&'a mut self, elements: &'a [E]) -> &'a Elements<E> {
        match elements.try_into() {
            Ok(block) => block,
            Err(_) => {
                self.fill_from::<V>(elements);
                &self.0
            }
        }
    }
}

/// The elements of a program's register, by its number; register 0 is x.
#[inline(always)]
pub(super) fn read<'a, E>(register: usize, x: &'a Elements<E>, registers: &'a [Block<E>]) -> &'a Elements<E> {
    if register == 0 { x } else { &registers[register].0 }
}

/// Runs those of the instructions that some output in `wanted` depends on, over at least the first `len` elements. The
/// last one writes to `output` instead of its register, if that is given.
#[inline(always)]
pub(super) fn run<V: Lane>(
    list: &List,
    wanted: Outputs,
    len: usize,
    x: &Elements<V::Elem>,
    registers: &mut [Block<V::Elem>],
    mut output: Option<&mut Elements<V::Elem>>,
) {
    let count = list.instructions.len();
    for (number, instruction) in list.instructions.iter().enumerate() {
        let Instruction { operation, operands, target, second, outputs } = *instruction;
        if outputs & wanted == 0 {
            continue;
        }
        if let Some(second) = second {
            let [operand, target, second] = registers
                .get_disjoint_mut([operands[0], target, second])
                .expect("an instruction writes other registers than it reads");
            let operand = if operands[0] == 0 { x } else { &operand.0 };
            apply_pair::<V>(operation, operand, len, &mut target.0, &mut second.0);
        } else {
            let (before, rest) = registers.split_at_mut(target);
            let (to, after) = rest.split_first_mut().expect("an instruction writes a register");
            let operands = operands.map(|operand| match operand {
                0 => x,
                operand if operand < target => &before[operand].0,
                operand => &after[operand - target - 1].0,
            });
            let to = match &mut output {
                Some(output) if number + 1 == count => output,
                _ => &mut to.0,
            };
            apply::<V>(operation, operands, len, to);
        }
    }
}

/// One operation over at least the first `len` elements.
#[inline(always)]
fn apply<V: Lane>(operation: Operation, operands: [&Elements<V::Elem>; 3], len: usize, target: &mut Elements<V::Elem>) {
    macro_rules! loops {
        ($($(#[$doc:meta])* $name:ident($($operand:ident),+) = $value:expr,)+) => {
            match operation {
                $(Operation::$name => {
                    let (first, mut operands) = (operands[0], operands.into_iter());
                    $(let $operand = operands.next().unwrap_or(first);)+
                    for number in 0..len.div_ceil(V::WIDTH).min(BLOCK / V::WIDTH) {
                        let at = number * V::WIDTH;
                        $(let $operand = V::load(&$operand[at..at + V::WIDTH]);)+
                        let value: V = $value;
                        value.store(&mut target[at..at + V::WIDTH]);
                    }
                })+
            }
        };
    }
    for_every_operation!(loops);
}

/// Sine and cosine, or sigmoid and slope.
#[inline(always)]
fn apply_pair<V: Lane>(
    operation: Operation,
    operand: &Elements<V::Elem>,
    len: usize,
    target: &mut Elements<V::Elem>,
    second: &mut Elements<V::Elem>,
) {
    macro_rules! pairs {
        ($a:ident => $pair:expr) => {
            for number in 0..len.div_ceil(V::WIDTH).min(BLOCK / V::WIDTH) {
                let at = number * V::WIDTH;
                let $a = V::load(&operand[at..at + V::WIDTH]);
                let (one, other): (V, V) = $pair;
                one.store(&mut target[at..at + V::WIDTH]);
                other.store(&mut second[at..at + V::WIDTH]);
            }
        };
    }
    if operation == Operation::Sin {
        pairs!(a => a.sin_cos());
    } else {
        pairs!(a => sigmoid(a));
    }
}
