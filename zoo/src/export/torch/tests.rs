//! The modules of activations, and the names in them.

use pvlu::activation::find;

use super::activation::class;

fn text(activation: &str) -> String {
    class(find(activation).unwrap(), "Activation").unwrap()
}

#[test]
fn pvlu_is_a_module_with_alpha_and_beta() {
    let text = text("pvlu");
    let body = "
    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels,), 0.5))
        self.beta = nn.Parameter(torch.full((channels,), 1.0))

    def forward(self, x):
        alpha = each(self.alpha, x)
        beta = each(self.beta, x)
        return torch.relu(x) + alpha * torch.sin(x * beta)
";
    assert!(text.ends_with(body), "{text}");
    assert!(text.contains("arXiv:2110.12246"));
}

#[test]
fn what_is_not_taken_does_not_reach_a_gradient() {
    let elu = text("elu; alpha = 0.7");
    assert!(elu.contains("        above, x = x, torch.where(x > 0, 0.0, x)\n"), "{elu}");
    assert!(elu.contains("return torch.where(above > 0, above, alpha * torch.expm1(x))"), "{elu}");
    let leaky = text("leaky_relu; slope = 0.3");
    assert!(leaky.contains("self.register_buffer(\"slope\", torch.full((channels,), 0.3))"), "{leaky}");
    assert!(leaky.contains("return torch.where(x > 0, x, slope * x)"), "{leaky}");
}

#[test]
fn parameters_have_names_that_mean_nothing_else() {
    let text = text("f = max(x, 0) + half*torch*t1*p_a; half = 0.5; torch = 1; t1 = 1; p_a = 1");
    for line in ["half_ = each(self.half_, x)", "p_torch = each(self.torch, x)", "p_t1 = each(self.t1, x)"] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("pp_a = each(self.pp_a, x)"), "{text}");
}

#[test]
fn numbers_are_not_given_to_functions_of_tensors() {
    let found = text("f = min(2, a)*x + max(x, 1)*sqrt(2) + abs(-3)*x; a = 3");
    assert!(found.contains("torch.clamp(a, max=2.0)") && found.contains("torch.clamp(x, min=1.0)"), "{found}");
    assert!(!found.contains("torch.sqrt") && !found.contains("torch.abs"), "{found}");
    // A name that reads as a number is none.
    let named = text("f = max(x, inf) + exp(nan); inf = -2; nan = 1");
    assert!(named.contains("torch.maximum(x, p_inf)") && named.contains("torch.exp(p_nan)"), "{named}");
    let constant = text("f = a*x^0; a = 2");
    assert!(constant.contains("return torch.zeros_like(x) + (a)"), "{constant}");
}
