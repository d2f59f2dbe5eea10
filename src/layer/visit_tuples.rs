//! [`Visit`] of tuples, whose modules run one after the other, and of `Repeated`.

use dfdx::nn::modules::Repeated;
use dfdx::shapes::Unit;
use dfdx::tensor::Storage;

use super::children;
use super::graph_builder::{GraphBuilder, Wires};
use super::visit::{Path, Visit, Visitor, VisitorMut};
use crate::error::Error;

/// Containers with fields that run one after the other.
macro_rules! visit_fields_of {
    ([$($generics:tt)*] $container:ty, $($field:tt: $module:ident),+) => {
        impl<E: Unit, D: Storage<E>, $($generics)*> Visit<E, D> for $container {
            fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
                children::visit(path, visitor, &[$((stringify!($field), &self.$field)),+])
            }
            fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
                children::visit_mut(path, visitor, &mut [$((stringify!($field), &mut self.$field)),+])
            }
            fn describe(
                &self,
                path: &mut Path,
                input: Wires,
                graph: &mut GraphBuilder<'_>,
            ) -> Result<Wires, Error> {
                children::describe(path, input, graph, &[$((stringify!($field), &self.$field)),+])
            }
        }
    };
}
impl<E: Unit, D: Storage<E>> Visit<E, D> for () {
    fn visit(&self, _: &mut Path, _: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        Ok(())
    }
    fn visit_mut(&mut self, _: &mut Path, _: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        Ok(())
    }
    fn describe(&self, _: &mut Path, input: Wires, _: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        Ok(input)
    }
}

visit_fields_of!([A: Visit<E, D>] (A,), 0: A);
visit_fields_of!([A: Visit<E, D>, B: Visit<E, D>] (A, B), 0: A, 1: B);
visit_fields_of!([A: Visit<E, D>, B: Visit<E, D>, C: Visit<E, D>] (A, B, C), 0: A, 1: B, 2: C);
visit_fields_of!(
    [A: Visit<E, D>, B: Visit<E, D>, C: Visit<E, D>, F: Visit<E, D>] (A, B, C, F), 0: A, 1: B, 2: C, 3: F
);
visit_fields_of!(
    [A: Visit<E, D>, B: Visit<E, D>, C: Visit<E, D>, F: Visit<E, D>, G: Visit<E, D>]
    (A, B, C, F, G), 0: A, 1: B, 2: C, 3: F, 4: G
);
visit_fields_of!(
    [A: Visit<E, D>, B: Visit<E, D>, C: Visit<E, D>, F: Visit<E, D>, G: Visit<E, D>, H: Visit<E, D>]
    (A, B, C, F, G, H), 0: A, 1: B, 2: C, 3: F, 4: G, 5: H
);

impl<E: Unit, D: Storage<E>, A: Visit<E, D>, const N: usize> Visit<E, D> for Repeated<A, N> {
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor<E, D>) -> Result<(), Error> {
        for (i, module) in self.modules.iter().enumerate() {
            let here = path.enter(&i);
            module.visit(path, visitor)?;
            path.leave(here);
        }
        Ok(())
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut<E, D>) -> Result<(), Error> {
        for (i, module) in self.modules.iter_mut().enumerate() {
            let here = path.enter(&i);
            module.visit_mut(path, visitor)?;
            path.leave(here);
        }
        Ok(())
    }
    fn describe(&self, path: &mut Path, input: Wires, graph: &mut GraphBuilder<'_>) -> Result<Wires, Error> {
        let mut wires = input;
        for (i, module) in self.modules.iter().enumerate() {
            let here = path.enter(&i);
            wires = module.describe(path, wires, graph)?;
            path.leave(here);
        }
        Ok(wires)
    }
}
