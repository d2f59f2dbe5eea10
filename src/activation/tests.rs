use super::*;

#[test]
fn names_and_parameters_are_those_of_the_papers() {
    let (fixed, trained) = (Param::fixed, |name, start| Param { name, start, swapped: start, trained: true });
    let expected = [
        ("relu", vec![]),
        ("leaky_relu", vec![fixed("slope", 0.01)]),
        ("elu", vec![fixed("alpha", 1.0)]),
        ("prelu", vec![Param { name: "alpha", start: 0.25, swapped: 0.0, trained: true }]),
        ("sine_relu", vec![fixed("epsilon", 0.0025)]),
        ("swish", vec![fixed("beta", 1.0)]),
        ("vlu", vec![fixed("a", 0.5), fixed("b", 1.0)]),
        (
            "pvlu",
            vec![
                Param { name: "alpha", start: 0.5, swapped: 0.0, trained: true },
                Param { name: "beta", start: 1.0, swapped: 1.0, trained: true },
            ],
        ),
        ("gelu", vec![]),
        ("gelu_tanh", vec![]),
        ("mish", vec![]),
        ("softplus", vec![]),
        ("tanh", vec![]),
        ("snake", vec![trained("a", 1.0)]),
        ("sinlu", vec![trained("a", 1.0), trained("b", 1.0)]),
        ("swish_beta", vec![trained("beta", 1.0)]),
        ("acon_c", vec![trained("p1", 1.0), trained("p2", 0.0), trained("beta", 1.0)]),
        ("prelu_element", vec![trained("alpha", 0.0)]),
    ];
    let found: Vec<_> = BUILT_IN.iter().map(|activation| (activation.name(), activation.params().to_vec())).collect();
    assert_eq!(found, expected);
}

#[test]
fn param_arrays_keep_the_order() {
    let mut values: [usize; 3] = ParamArray::from_fn(|i| 10 * i);
    assert_eq!(<[usize; 3] as ParamArray<usize>>::LEN, 3);
    ParamArray::as_mut_slice(&mut values)[1] = 7;
    assert_eq!(ParamArray::as_slice(&values), [0, 7, 20]);
}
