mod derivatives;

use std::time::{Duration, Instant};

use derivatives::FORMULAS;

use super::error::WrittenErrorKind as Kind;
use super::*;
use crate::kernel::cpu::activation::program::{backward, forward};
use crate::kernel::layout::ChannelsLayout;
use crate::kernel::write::InputGradient;

#[track_caller]
fn written(text: &str) -> Written {
    Written::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Value and derivatives at one x, by the kernels.
fn evaluate(written: &Written, x: f64, params: &[f64]) -> (f64, Vec<f64>) {
    let layout = ChannelsLayout { outer: 1, channels: 1, inner: 1 };
    let params: Vec<&[f64]> = params.iter().map(std::slice::from_ref).collect();
    let (mut y, mut dx, mut grads) = ([0.0], [0.0], vec![[0.0]; params.len()]);
    forward(written.program(), layout, &[x], &params, &mut y);
    let mut targets: Vec<Option<&mut [f64]>> = grads.iter_mut().map(|grad| Some(&mut grad[..])).collect();
    let target = InputGradient::Overwrite(&mut dx[..]);
    backward(written.program(), layout, (&[x][..]).into(), &params, &[1.0], target, &mut targets);
    (y[0], std::iter::once(dx[0]).chain(grads.into_iter().map(|[grad]| grad)).collect())
}

fn starts(written: &Written) -> Vec<f64> {
    written.params().iter().map(|param| param.start).collect()
}

/// The value of a formula of x.
#[track_caller]
fn value(formula: &str, x: f64) -> f64 {
    evaluate(&written(&format!("f = {formula}")), x, &[]).0
}

#[test]
fn operators_bind_as_in_mathematics() {
    let cases: [(&str, f64); 16] = [
        ("x - 1 - 1", 0.0),
        ("x/2/2", 0.5),
        ("1 + x*3", 7.0),
        ("(1 + x)*3", 9.0),
        ("-x^2", -4.0),
        ("(-x)^2", 4.0),
        ("(1 + x^2)^-1", 0.2),
        ("2^3^x", 512.0),
        ("(2^3)^x", 64.0),
        ("x^3", 8.0),
        ("4*(1 + x^2)^-2", 0.16),
        ("--x", 2.0),
        ("x*-x", -4.0),
        ("1e1*x + 1.5E-1 + .5", 20.65),
        ("max(1, min(x, 3))", 2.0),
        ("cos(pi*x)", 1.0),
    ];
    for (formula, expected) in cases {
        let found = value(formula, 2.0);
        assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{formula}: {found}, not {expected}");
    }
}

#[test]
fn functions_are_those_of_mathematics() {
    type Case = (&'static str, fn(f64) -> f64);
    let cases: [Case; 15] = [
        ("exp(x)", f64::exp),
        ("exp_m1(x)", f64::exp_m1),
        ("ln(x + 5)", |x| (x + 5.0).ln()),
        ("ln_1p(x + 4)", |x| (x + 4.0).ln_1p()),
        ("sqrt(x + 5)", |x| (x + 5.0).sqrt()),
        ("tanh(x)", f64::tanh),
        ("erf(x)", libm::erf),
        ("abs(x)", f64::abs),
        ("min(x, 1)", |x| x.min(1.0)),
        ("max(x, 1)", |x| x.max(1.0)),
        ("sin(x)", f64::sin),
        ("cos(x)", f64::cos),
        ("sigmoid(x)", |x| 1.0 / (1.0 + (-x).exp())),
        ("relu(x)", |x| x.max(0.0)),
        ("softplus(x)", |x| x.exp().ln_1p()),
    ];
    assert_eq!(cases.len(), names::FUNCTIONS.len());
    for (formula, expected) in cases {
        for x in [-3.3, -0.7, 0.0, 0.2, 1.0, 2.9] {
            let (found, expected) = (value(formula, x), expected(x));
            assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{formula} at {x}: {found}");
        }
    }
}

#[test]
fn a_text_says_the_name_and_the_parameters() {
    let mine = written(" mine=max( x,0 )+a * sin(b*x)+c_2*d ;a=0.5 swap -0;b = 1 ;\tfixed c_2 = 1e-3; d=-2swap 3 ");
    assert_eq!(mine.name(), "mine");
    let param = |name: &str, start, swapped, trained| WrittenParam { name: name.to_owned(), start, swapped, trained };
    let expected = [
        param("a", 0.5, 0.0, true),
        param("b", 1.0, 1.0, true),
        param("c_2", 1e-3, 1e-3, false),
        param("d", -2.0, 3.0, true),
    ];
    assert_eq!(mine.params(), expected);
    let text = "mine = max(x, 0) + a*sin(b*x) + c_2*d; a = 0.5 swap -0; b = 1; fixed c_2 = 1e-3; d = -2 swap 3";
    assert_eq!(mine.text(), text);
    assert_eq!(mine.program().param_count(), 4);
}

#[test]
fn the_text_of_a_formula_parses_to_the_same_formula() {
    for text in FORMULAS {
        let first = written(text);
        let again = written(first.text());
        assert_eq!((again.text(), &again), (first.text(), &first));
        assert_eq!((again.name(), again.params(), again.program()), (first.name(), first.params(), first.program()));
        let tight = written(&text.replace(' ', "").replace("fixed", "fixed ").replace("swap", " swap "));
        assert_eq!(tight, first, "spaces make no difference");
    }
    assert_eq!(written("f=-x*-x--x+(-1)").text(), "f = -x*-x - -x + (-1)");
    // Spaces would make these longer than a text may be.
    let long = format!("f=x{}", "+x".repeat(498));
    assert_eq!(long.len(), 999);
    assert_eq!(written(&long).text(), long);
}

#[test]
fn an_error_says_what_is_wrong_and_a_caret_where() {
    let cases = [
        ("", 0, "expected the name of the activation, found the end"),
        ("3", 0, "expected the name of the activation, found `3`"),
        ("mine", 4, "expected `=` and a formula, found the end"),
        ("mine x", 5, "expected `=` and a formula, found `x`"),
        ("mine = ", 7, "expected a number, a name, `-` or `(`, found the end"),
        ("mine = x +", 10, "expected a number, a name, `-` or `(`, found the end"),
        ("mine = x + * x", 11, "expected a number, a name, `-` or `(`, found `*`"),
        ("mine = x x", 9, "expected an operator, `;` or the end, found `x`"),
        ("mine = 2x", 8, "expected an operator, `;` or the end, found `x`"),
        ("mine = x)", 8, "expected an operator, `;` or the end, found `)`"),
        ("mine = (x", 9, "expected an operator or `)`, found the end"),
        ("mine = x = 2", 9, "expected an operator, `;` or the end, found `=`"),
        ("mine = x $ 2", 9, "a formula has no character '$'"),
        ("mine = x × 2", 9, "a formula has no character '×'"),
        ("mine = x\u{202e}", 8, "a formula has no character '\\u{202e}'"),
        ("mine = x*1e999", 9, "this number is too large"),
        ("mine = a*x", 7, "`a` is neither x nor pi nor a parameter: give a start value at the end, `; a = 1`"),
        ("mine = sin x", 11, "expected `(` and the argument of the function, found `x`"),
        ("mine = sin(x, 1)", 7, "`sin` takes one argument"),
        ("mine = max(x)", 7, "`max` takes 2 arguments"),
        ("mine = max(x, 1, 2)", 7, "`max` takes 2 arguments"),
        ("mine = sin(x; a = 1", 12, "expected an operator, `,` or `)`, found `;`"),
        ("mine = sin()", 11, "expected a number, a name, `-` or `(`, found `)`"),
        ("x = 2", 0, "`x` is the input: take another name"),
        ("relu = x", 0, "`relu` is a function: take another name"),
        ("pvlu = x", 0, "`pvlu` is a built-in activation: take another name"),
        ("mine = x*pi; pi = 3", 13, "`pi` is a number: take another name"),
        ("mine = x*mish; mish = 3", 15, "`mish` is a built-in activation: take another name"),
        ("mine = a*x; a = 1; a = 2", 19, "there are two of the name `a`"),
        ("mine = mine*x; mine = 1", 15, "there are two of the name `mine`"),
        ("mine = x; a = 1", 10, "the formula does not use `a`"),
        ("mine = a; a = 1", 7, "the formula does not use x"),
        ("mine = x; ", 10, "expected the name of a parameter, found the end"),
        ("mine = a*x; a", 13, "expected `=` and a number, found the end"),
        ("mine = a*x; a = b", 16, "expected a number, found `b`"),
        ("mine = a*x; a = 1 swap", 22, "expected a number, found the end"),
        ("mine = a*x; a = 1 b = 2", 18, "expected `;` or the end, found `b`"),
        ("mine = a*x; fixed fixed = 1", 18, "`fixed` is a word of the list of parameters: take another name"),
        ("mine = a*x; a = nan", 16, "expected a number, found `nan`"),
        ("mine = a*x; a = 1e400", 16, "this number is too large"),
        ("m = a*b*c*d*e*x; a=1; b=1; c=1; d=1; e=1", 37, "a formula has at most 4 parameters"),
        ("mine = x^65", 9, "an integer exponent is at most 64 and at least -64, not 65"),
    ];
    for (text, place, message) in cases {
        let error = Written::parse(text).expect_err(text);
        let displayed: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        assert_eq!(error.to_string(), format!("{message}\n  {displayed}\n  {}^", " ".repeat(place)), "{text}");
        assert_eq!(error.place(), place, "{text}");
    }
    let error = Written::parse("mine = sn(x)").unwrap_err();
    assert_eq!(error.kind(), &Kind::UnknownFunction("sn".to_owned()));
    assert!(error.to_string().starts_with("there is no function `sn`: there are exp, exp_m1, ln, ln_1p, "), "{error}");
}

#[test]
fn of_a_long_text_an_error_shows_the_surroundings() {
    let text = format!("mine = {}x ? 1{}", "x + ".repeat(50), " + x".repeat(50));
    let error = Written::parse(&text).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert!(lines.len() == 3 && lines[1].len() < 132 && lines[1].starts_with("  ...") && lines[1].ends_with("..."));
    assert_eq!(lines[1].as_bytes()[lines[2].len() - 1], b'?', "{error}");
    // A line break of the text does not break the line.
    assert_eq!(Written::parse("mine =\n x + \r\n ?").unwrap_err().to_string().lines().count(), 3);
}

#[test]
fn a_formula_that_has_no_finite_derivative_is_refused_where_it_has_none() {
    let cases = [
        ("f = ln(x)", 4, "the value is infinite or not a number at x = 0"),
        ("f = 1 + sqrt(x)", 8, "the derivative by x is infinite or not a number at x = 0"),
        ("f = x + sqrt(x^2)", 8, "the derivative by x is infinite or not a number at x = 0"),
        ("f = sin(x)/x", 10, "the value is infinite or not a number at x = 0"),
        ("f = x^0.3", 5, "the derivative by x is infinite or not a number at x = 0"),
        ("f = (x + 4.5)^0.3 + (x + 0.5)^0.3", 29, "the derivative by x is infinite or not a number at x = -0.5"),
        ("f = x^a; a = 2", 5, "the derivative by a is infinite or not a number at x = 0 with a = 2"),
        ("f = x + 1/0", 9, "the value is infinite or not a number at x = 0"),
        ("f = x + sin(a*x)^2/a; a = 1 swap 0", 18, "the value is infinite or not a number at x = 0 with a = 0"),
        ("f = exp(exp(x^2))", 4, "the value is infinite or not a number at x = -2.125"),
    ];
    for (text, place, message) in cases {
        let error = Written::parse(text).expect_err(text);
        assert_eq!(error.to_string(), format!("{message}\n  {text}\n  {}^", " ".repeat(place)), "{text}");
        assert!(matches!(error.kind(), Kind::NotFinite { .. }));
    }
    // These are infinite in between, but not in the end.
    for text in ["f = relu(x)^1.5", "f = min(exp(x^2*100), 1)*x", "f = (1 + abs(x))^x"] {
        written(text);
    }
    // At a base of 0 that by the exponent is not a number, which matters only if the exponent is trained.
    assert!(Written::parse("f = relu(x)^c; c = 1.5").is_err());
    let fixed = written("f = relu(x)^c; fixed c = 1.5");
    assert_eq!(evaluate(&fixed, 0.0, &[1.5]).1[0], 0.0);
    assert!((evaluate(&fixed, 4.0, &[1.5]).1[0] - 3.0).abs() < 1e-14);
}

#[test]
fn at_a_kink_the_derivative_is_that_of_the_built_in_ones() {
    let slope = |formula: &str, x: f64| evaluate(&written(&format!("f = {formula}")), x, &[]).1[0];
    for zero in [0.0, -0.0] {
        for formula in ["max(x, 0)", "max(0, x)", "relu(x)", "abs(x)", "max(2*x, 0)", "relu(-x)", "-max(0, -x)"] {
            assert_eq!(slope(formula, zero), 0.0, "{formula}");
        }
        // As of PReLU, that on the left.
        assert_eq!(slope("max(x, 0) + 0.25*min(x, 0)", zero), 0.25);
        assert_eq!(slope("max(x, 0) + min(0, x)", zero), 1.0);
        // At a tie of two functions max has that of the second, min that of the first.
        assert_eq!(slope("max(2*x, 3*x)", zero), 3.0);
        assert_eq!(slope("min(2*x, 3*x)", zero), 2.0);
    }
    // What is not taken may overflow: ELU.
    let elu = "max(x, 0) + exp_m1(min(x, 0))";
    let other = "max(x, 0) + min(exp_m1(x), 0)";
    for formula in [elu, other] {
        assert_eq!(
            (slope(formula, 1000.0), slope(formula, 0.0), value(formula, 1000.0)),
            (1.0, 1.0, 1000.0),
            "{formula}"
        );
    }
}

#[test]
fn nesting_length_and_size_are_bounded() {
    let kind = |text: &str| Written::parse(text).map_err(|error| error.kind().clone());
    let nested = |open: &str, n: usize, close: &str| format!("f = {}x{}", open.repeat(n), close.repeat(n));
    for (open, close) in [("(", ")"), ("-", ""), ("sin(", ")"), ("x^", ""), ("2^-", "")] {
        let deepest = if open == "2^-" { 32 } else { 64 };
        assert_eq!(kind(&nested(open, deepest + 1, close)), Err(Kind::TooDeep), "{open}");
        // The deepest towers are infinite.
        assert!(!matches!(kind(&nested(open, deepest, close)), Err(Kind::TooDeep)), "{open}");
    }
    written(&nested("(", 64, ")"));
    written(&nested("sin(", 64, ")"));
    assert_eq!(kind(&nested("(", 480, ")")), Err(Kind::TooDeep));
    assert_eq!(kind(&format!("f = x{}", " ".repeat(995))).map(|f| f.text().len()), Ok(5));
    assert_eq!(kind(&format!("f = x{}", " ".repeat(996))), Err(Kind::TooLong));
    assert_eq!(Written::parse(&"é".repeat(5_000_000)).unwrap_err().kind(), &Kind::TooLong);

    // Every derivative of a product of n factors by the rule has n terms of n factors; as a graph it is linear in n.
    let product = format!("f = {}", vec!["(x + a)"; 120].join("*0.5*"));
    let error = Written::parse(&format!("{product}; a = 0")).err();
    assert!(!error.is_some_and(|error| matches!(error.kind(), Kind::TooManyOperations)));
    // Each level has the one below twice.
    let mut twice = "x".to_owned();
    for _ in 0..7 {
        twice = format!("sin({twice}*{twice})");
    }
    assert!(written(&format!("f = {twice}")).program().param_count() == 0);

    // As much as fits into 1,000 characters.
    let powers: Vec<String> = (0..120).map(|i| format!("(x+a+{i})^63")).collect();
    for text in [
        format!("f={}; a=1", powers[..75].join("+")),
        format!("f={}; a=1", powers[..75].join("/")),
        format!("f=x{}", "^63".repeat(60)),
        format!("f=({}{}; a=1", "sin(x+a)/cos(x-a*".repeat(55), ")".repeat(56)),
    ] {
        let start = Instant::now();
        let _ = Written::parse(&text);
        assert!(start.elapsed() < Duration::from_secs(2), "{text}");
    }
    let many: Vec<String> = (0..76).map(|i| format!("sin(a*x+{i})^63")).collect();
    let error = Written::parse(&format!("f={}; a=1", many[..60].join("*"))).unwrap_err();
    assert_eq!(error.kind(), &Kind::TooManyOperations, "{error}");
}

#[test]
fn a_list_is_split_at_commas_outside_brackets() {
    assert_eq!(
        split_list("relu, pvlu,snake2 = x + max(a*x, (1 - x))^2/a; a = 1 ,leaky_relu; slope = 0.3"),
        ["relu", "pvlu", "snake2 = x + max(a*x, (1 - x))^2/a; a = 1", "leaky_relu; slope = 0.3"]
    );
    assert_eq!(split_list(""), [""]);
    assert_eq!(split_list("a), b(,"), ["a)", "b(,"]);
}

#[test]
fn a_formula_is_told_from_a_name() {
    for formula in ["f = x", "f=x; a = 1", "=", "pvlu = x"] {
        assert!(is_formula(formula), "{formula}");
    }
    for name in ["", "relu", "leaky_relu; slope = 0.3", "; a = 1"] {
        assert!(!is_formula(name), "{name}");
    }
}

#[test]
fn settings_are_read_alone() {
    let text = " slope = 0.3; fixed beta = -1 swap 2";
    let settings = parse_settings(text).unwrap();
    let setting =
        |name: &str, place, start, swapped, fixed| Setting { name: name.to_owned(), place, start, swapped, fixed };
    assert_eq!(settings, [setting("slope", 1, 0.3, None, false), setting("beta", 20, -1.0, Some(2.0), true)]);
    let error = settings[1].unknown(text, &["alpha", "slope"]).to_string();
    let message = "there is no parameter `beta` to set: there are alpha, slope";
    assert_eq!(error, format!("{message}\n  {text}\n  {}^", " ".repeat(20)));
    for bad in ["", "slope", "slope = ", "slope = 1,", "x = 1", "slope = 1; slope = 2"] {
        assert!(parse_settings(bad).is_err(), "{bad}");
    }
}

#[test]
fn no_name_has_two_meanings() {
    let built_in = crate::activation::BUILT_IN.iter().map(|activation| activation.name());
    let mut all: Vec<&str> = names::FUNCTIONS.iter().map(|(name, _)| *name).chain(built_in).collect();
    all.extend(["x", "pi", "fixed", "swap"]);
    for name in &all {
        assert!(names::meaning(name).is_some(), "{name}");
        assert!(matches!(Written::parse(&format!("{name} = x")).unwrap_err().kind(), Kind::Taken { .. }));
    }
    for free in ["alpha", "X", "Pi", "_", "f1", "sin_", "fixed1"] {
        assert_eq!(written(&format!("{free} = x")).name(), free);
    }
}
