"""A gradient as compiled code: traced as one graph, its operators fused by torch's compiler."""

from typing import Any, Callable, Dict, Optional

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves

from sakeff.fast.build import operators_available

ATEN = torch.ops.aten
# Narrower products move more bytes than they multiply; torch's own are as fast there.
SMALLEST_INNER = 2


def compile_gradient(gradient: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """The same function, traced for arguments of these shapes and compiled, which takes a minute or two.

    `gradient` is pure, calls autograd itself and returns a NamedTuple. On the CPU the code is for one thread, where
    sums into atoms need no atomic additions: use one process for each core. Where the C++ operators can be made, they
    do the matrix products.
    """
    graph = make_fx(gradient)(*arguments)
    on_cpu = not any(leaf.is_cuda for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor))
    if on_cpu and operators_available():
        use_own_operators(graph)
    options: Optional[Dict[str, Any]] = {"cpp.threads": 1} if on_cpu else None
    compiled = torch.compile(graph, fullgraph=True, dynamic=False, options=options)

    def call(*arguments: Any) -> Any:
        with torch.no_grad():
            return compiled(*arguments)

    return call


def use_own_operators(graph: fx.GraphModule) -> None:
    """Replace some operators of a traced graph by those of ``torch.ops.sakeff``, in place.

    The matrix products are about twice as fast as torch's at these sizes. Sums of rows would keep a fused loop from
    vector instructions, and a fused tanh would be computed anew in every loop that reads it.
    """
    for node in list(graph.graph.nodes):
        replacement = REPLACEMENTS.get(node.target)
        if replacement is not None and not node.kwargs:
            with graph.graph.inserting_before(node):
                value = replacement(graph.graph, node)
            if value is not None:
                node.replace_all_uses_with(value)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _product(graph: fx.Graph, node: fx.Node) -> Optional[fx.Node]:
    left = node.args[0]
    value = left.meta.get("val") if isinstance(left, fx.Node) else None  # constants of the trace have none
    if value is None or value.shape[1] < SMALLEST_INNER:
        return None
    return graph.call_function(torch.ops.sakeff.matrix_product.default, node.args)


def _affine(graph: fx.Graph, node: fx.Node) -> Optional[fx.Node]:
    bias, left, right = node.args
    product = graph.call_function(torch.ops.sakeff.matrix_product.default, (left, right))
    return graph.call_function(ATEN.add.Tensor, (product, bias))


def _row_sums(graph: fx.Graph, node: fx.Node) -> Optional[fx.Node]:
    base, dimension, index, values = node.args
    if dimension != 0 or not isinstance(base, fx.Node) or base.target not in ZEROS:
        return None
    return graph.call_function(torch.ops.sakeff.row_sums.default, (values, index, base.meta["val"].shape[0]))


def _tanh(graph: fx.Graph, node: fx.Node) -> Optional[fx.Node]:
    return graph.call_function(torch.ops.sakeff.tanh.default, node.args)


ZEROS = (ATEN.new_zeros.default, ATEN.zeros.default)
REPLACEMENTS: Dict[Any, Callable[[fx.Graph, fx.Node], Optional[fx.Node]]] = {
    ATEN.mm.default: _product,
    ATEN.addmm.default: _affine,
    ATEN.index_add.default: _row_sums,
    ATEN.tanh.default: _tanh,
}
