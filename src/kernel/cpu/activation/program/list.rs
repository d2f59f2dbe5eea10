//! From a graph of operations to a list of instructions over numbered registers.

use super::operation::Operation;

/// A value in a graph. Operands are the numbers of nodes before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The input x of the formula.
    X,
    /// A parameter, by its number.
    Param(usize),
    /// The same number for every element.
    Constant(f64),
    /// An operation on as many nodes as it has operands; the rest of the array is ignored.
    Apply(Operation, [usize; 3]),
}

impl Node {
    /// Numbers of the nodes that the value is computed from.
    pub fn operands(&self) -> &[usize] {
        match self {
            Node::Apply(operation, operands) => &operands[..operation.arity()],
            _ => &[],
        }
    }
}

/// Outputs of a list, one bit each.
pub(super) type Outputs = u8;

/// One operation, or two with the same operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Instruction {
    pub operation: Operation,
    pub operands: [usize; 3],
    pub target: usize,
    /// Register for the cosine of a sine, or for the slope of a sigmoid, if it is needed too.
    pub second: Option<usize>,
    /// Outputs of the list that depend on the instruction.
    pub outputs: Outputs,
}

/// Instructions in the order in which they run. Registers are numbered: x, the parameters, the constants, and then
/// those that instructions write, each for as long as its value is needed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    pub constants: Vec<f64>,
    pub instructions: Vec<Instruction>,
    /// Number of registers, with those of x, the parameters and the constants.
    pub registers: usize,
    /// The register of each output.
    pub outputs: Vec<usize>,
}

/// The operation that is computed along with another one of the same operand.
pub(super) fn partner(operation: Operation) -> Option<Operation> {
    match operation {
        Operation::Sin => Some(Operation::Cos),
        Operation::Cos => Some(Operation::Sin),
        Operation::Sigmoid => Some(Operation::SigmoidSlope),
        Operation::SigmoidSlope => Some(Operation::Sigmoid),
        _ => None,
    }
}

impl List {
    /// The instructions that the outputs need.
    ///
    /// # Panics
    /// If an operand does not come before its node, a parameter is not below `params`, or there are more than eight
    /// outputs.
    pub fn new(params: usize, nodes: &[Node], outputs: &[usize]) -> List {
        let mut needed: Vec<Outputs> = vec![0; nodes.len()];
        for (bit, &output) in outputs.iter().enumerate() {
            needed[output] |= 1 << bit;
        }
        for (node, description) in nodes.iter().enumerate().rev() {
            for &operand in description.operands() {
                assert!(operand < node);
                needed[operand] |= needed[node];
            }
        }

        let steps = steps(nodes, &needed, outputs);
        // The last step that reads each value; an output is read at the end.
        let mut last = vec![0; nodes.len()];
        for (number, step) in steps.iter().enumerate() {
            for &operand in &step.operands[..step.operation.arity()] {
                last[operand] = number;
            }
        }
        for &output in outputs {
            last[output] = steps.len();
        }

        // The register of each node, and the registers that are free: the one freed last, which is in the nearest
        // cache, first.
        let (mut places, mut constants) = (vec![0; nodes.len()], Vec::new());
        for (node, description) in nodes.iter().enumerate().filter(|&(node, _)| needed[node] != 0) {
            match *description {
                Node::X | Node::Apply(..) => {}
                Node::Param(param) => {
                    assert!(param < params);
                    places[node] = 1 + param;
                }
                Node::Constant(value) => {
                    places[node] = 1 + params + constants.len();
                    constants.push(value);
                }
            }
        }
        let (mut free, mut registers) = (Vec::new(), 1 + params + constants.len());
        let mut instructions = Vec::with_capacity(steps.len());
        for (number, step) in steps.iter().enumerate() {
            let read = &step.operands[..step.operation.arity()];
            let operands = step.operands.map(|operand| places[operand]);
            let mut place = |node: usize| {
                places[node] = free.pop().unwrap_or_else(|| {
                    registers += 1;
                    registers - 1
                });
                places[node]
            };
            let target = place(step.node);
            let second = step.second.map(&mut place);
            // Freed only once the targets have registers: an instruction writes other registers than it reads.
            let mut freed: Vec<usize> = read
                .iter()
                .filter(|&&operand| last[operand] == number && matches!(nodes[operand], Node::Apply(..)))
                .map(|&operand| places[operand])
                .collect();
            freed.sort_unstable();
            freed.dedup();
            free.append(&mut freed);
            instructions.push(Instruction {
                operation: step.operation,
                operands,
                target,
                second,
                outputs: step.outputs,
            });
        }
        let outputs = outputs.iter().map(|&output| places[output]).collect();
        List { constants, instructions, registers, outputs }
    }
}

/// An instruction over nodes.
struct Step {
    operation: Operation,
    operands: [usize; 3],
    node: usize,
    second: Option<usize>,
    outputs: Outputs,
}

/// The operations that are needed: a product that is only added to something in one with the sum, and pairs of
/// functions in one.
fn steps(nodes: &[Node], needed: &[Outputs], outputs: &[usize]) -> Vec<Step> {
    let applied = || {
        nodes.iter().enumerate().filter_map(|(node, description)| match *description {
            Node::Apply(operation, operands) if needed[node] != 0 => Some((node, operation, operands)),
            _ => None,
        })
    };
    let mut uses = vec![0_usize; nodes.len()];
    applied().for_each(|(node, ..)| nodes[node].operands().iter().for_each(|&operand| uses[operand] += 1));
    outputs.iter().for_each(|&output| uses[output] += 1);
    // The factors of a product that a sum takes with it.
    let product = |node: usize| match nodes[node] {
        Node::Apply(Operation::Multiply, [a, b, _]) if uses[node] == 1 => Some([a, b]),
        _ => None,
    };
    let mut absorbed = vec![false; nodes.len()];

    let mut steps: Vec<Step> = Vec::new();
    for (node, operation, operands) in applied() {
        let [a, b, _] = operands;
        let other = partner(operation);
        if let Some(step) = steps.iter_mut().find(|step| Some(step.operation) == other && step.operands[0] == a) {
            step.outputs |= needed[node];
            step.second = Some(node);
            if matches!(operation, Operation::Sin | Operation::Sigmoid) {
                step.operation = operation;
                step.second = Some(std::mem::replace(&mut step.node, node));
            }
            continue;
        }
        let mut step = Step { operation, operands, node, second: None, outputs: needed[node] };
        if operation == Operation::Add
            && let Some((number, [first, second], other)) =
                [(a, b), (b, a)].into_iter().find_map(|(number, other)| Some((number, product(number)?, other)))
        {
            absorbed[number] = true;
            (step.operation, step.operands) = (Operation::MultiplyAdd, [first, second, other]);
        }
        steps.push(step);
    }
    steps.retain(|step| !absorbed[step.node]);
    steps
}
