//! Texts of Python programs, as they are written.

use pvlu::kernel::cpu::activation::program::{Node, Operation};

use super::expression::formula;
use super::*;

#[test]
fn a_string_holds_nothing_that_ends_it_or_changes_how_a_program_looks() {
    assert_eq!(string("tabby, tabby cat"), r#""tabby, tabby cat""#);
    assert_eq!(string("\"\\\n"), r#""\"\\\n""#);
    assert_eq!(string("a\u{202e}b\0\u{1b}"), r#""a\U0000202eb\U00000000\U0000001b""#);
    assert_eq!(string("größe 大"), "\"größe 大\"");
    assert_eq!(inner("\"\"\""), r#"\"\"\""#);
}

#[test]
fn lists_are_wrapped_and_numbers_are_read_as_the_same() {
    assert_eq!(list(["1.5".to_owned(), "2.0".to_owned()]), "[\n    1.5, 2.0,\n]");
    assert_eq!(list([]), "[\n]");
    let long = list((0..100).map(|item| item.to_string()));
    assert!(
        long.lines().count() > 4 && long.lines().all(|line| line.len() <= WIDTH && line == line.trim_end()),
        "{long}"
    );
    let [tiny, infinite] = [1e-37, f64::NEG_INFINITY].map(number);
    assert_eq!([tiny.as_str(), infinite.as_str(), number(2.0).as_str()], ["1e-37", "float(\"-inf\")", "2.0"]);
}

/// A formula of x and a parameter in Python, with its assignments before it.
fn python(operations: &[(Operation, [usize; 3])]) -> String {
    let given = [Node::X, Node::Param(0), Node::Constant(2.0), Node::Constant(-3.0)];
    let nodes =
        given.into_iter().chain(operations.iter().map(|&(operation, operands)| Node::Apply(operation, operands)));
    let nodes: Vec<Node> = nodes.collect();
    let call = |operation: Operation, arguments: &[String]| format!("{operation:?}({})", arguments.join(", "));
    let output = nodes.len() - 1;
    let found = formula(&(nodes, output), &["self.a".to_owned()], &call);
    assert!(found.varies);
    found.assignments.iter().map(|line| format!("{line}; ")).collect::<String>() + &found.value
}

#[test]
fn a_formula_has_the_brackets_that_it_needs_and_no_others() {
    use Operation::{Add, Divide, Max, Multiply, MultiplyAdd, Negate, Subtract};
    let [x, a, two, minus_three] = [0, 1, 2, 3];
    let binary = |operation, left, right| (operation, [left, right, 0]);
    let last = 4;
    assert_eq!(python(&[binary(Subtract, x, minus_three)]), "x - -3.0");
    assert_eq!(python(&[binary(Add, x, a), binary(Subtract, x, last)]), "x - (x + self.a)");
    assert_eq!(python(&[binary(Subtract, x, a), binary(Subtract, last, two)]), "x - self.a - 2.0");
    assert_eq!(python(&[binary(Multiply, x, a), binary(Divide, two, last)]), "2.0 / (x * self.a)");
    assert_eq!(python(&[binary(Add, x, a), (Negate, [last, 0, 0])]), "-(x + self.a)");
    assert_eq!(python(&[(Negate, [x, 0, 0]), binary(Multiply, last, minus_three)]), "-x * -3.0");
    assert_eq!(python(&[binary(Add, x, two), (MultiplyAdd, [last, a, x])]), "x + (x + 2.0) * self.a");
    assert_eq!(python(&[binary(Add, x, a), binary(Max, last, two)]), "Max(x + self.a, 2.0)");
}

#[test]
fn what_a_formula_needs_more_than_once_is_computed_once() {
    let operations = [(Operation::Sin, [0; 3]), (Operation::Exp, [4; 3]), (Operation::Add, [5, 5, 0])];
    assert_eq!(python(&operations), "t1 = Exp(Sin(x)); t1 + t1");
    // What the value does not depend on is not written.
    let operations = [(Operation::Sin, [0; 3]), (Operation::Add, [4, 4, 0]), (Operation::Cos, [0; 3])];
    assert_eq!(python(&operations), "Cos(x)");
}
