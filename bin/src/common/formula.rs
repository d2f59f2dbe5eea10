//! Texts below the options in `--help`: examples, and the grammar of activations.

/// The grammar of an activation on the command line.
pub const HELP: &str = "\
An activation is the name of a built-in one (`zoo list` has them), such a name with other start values, as \
\"leaky_relu; slope = 0.3\", or a formula:

    \"mine = max(x, 0) + a*sin(b*x); a = 0.5 swap 0; fixed b = 1\"

Left of `=` is its name, right of it a function of x: + - * / ^ (from the right, and before a minus), brackets, \
numbers, pi, exp, exp_m1, ln, ln_1p, sqrt, tanh, erf, abs, min, max, sin, cos, sigmoid, relu, softplus. Names after \
a `;` are its parameters, at most four: trained, one a channel, from the value given, or not trained, after `fixed`. \
`swap V` is where a parameter starts if the formula replaces another activation. Names are letters, digits and `_`.

`prelu_element` has a slope for every channel and pixel: a model with it, and its file, take images of one size.";

/// The text below the options of a command: its examples.
pub fn examples(examples: &str) -> String {
    format!("Examples:\n{examples}")
}

/// The text below the options of a command that takes activations: its examples, and the grammar.
pub fn help(examples: &str) -> String {
    format!("Examples:\n{examples}\n\n{HELP}")
}

/// The command lines below `Examples:` in a help, as words; a line that ends in a backslash goes on in the next.
#[cfg(test)]
pub fn lines_of_examples(help: &str) -> Vec<Vec<String>> {
    let text = help.strip_prefix("Examples:\n").expect("examples come first");
    let text = text.split("\n\n").next().unwrap_or_default().replace("\\\n", " ");
    let words = |line: &str| {
        // Whitespace separates words, except within quotes.
        let (mut words, mut open) = (vec![String::new()], false);
        for char in line.trim().chars() {
            match char {
                '"' => open = !open,
                char if char.is_whitespace() && !open => words.push(String::new()),
                char => words.last_mut().expect("there is a first one").push(char),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    };
    text.lines().map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::HELP;

    /// Every function that the help names is one, and the example is a formula.
    #[test]
    fn the_help_is_true() {
        let example = HELP.split('"').find(|part| part.starts_with("mine = ")).unwrap();
        assert_eq!(pvlu::activation::find(example).unwrap().params().len(), 2);
        let functions = HELP.split("pi, ").nth(1).and_then(|rest| rest.split('.').next()).unwrap();
        for function in functions.split(", ") {
            let arguments = if ["min", "max"].contains(&function) { "sigmoid(x), 0.25" } else { "sigmoid(x) + 1" };
            let formula = format!("mine = {function}({arguments})");
            assert!(pvlu::activation::find(&formula).is_ok(), "{formula}");
        }
        assert!(pvlu::activation::find("mine = cbrt(x)").is_err());
    }
}
