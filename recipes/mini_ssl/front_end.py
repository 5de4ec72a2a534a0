"""The convolutional front end as matrix products, for training on CPUs.

Channels come last here, so that a convolution whose kernel is at most two strides long is one or
two products of matrices that already lie in memory: no window of samples is copied. The weights
are those of the Hugging Face module, under the same names.
"""

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional


def windows(x: Tensor, first: int, taps: int, stride: int, steps: int) -> Tensor:
    """View each window's `taps` frames from `first` on as one row: clips × steps × (taps · C)."""
    clips, _, channels = x.shape
    return x.as_strided(
        (clips, steps, taps * channels),
        (x.stride(0), stride * channels, 1),
        x.storage_offset() + first * channels,
    )


class Convolution(Function):
    """Strided convolution over time, without padding, of frames that lie one after another.

    ``x`` is clips × frames × channels, ``weight`` as in `torch.nn.Conv1d`.
    """

    @staticmethod
    def parts(weight: Tensor, stride: int) -> list[tuple[int, Tensor]]:
        """First tap and matrix of each stride's worth of taps."""
        taps = weight.permute(2, 1, 0)  # tap × in × out
        starts = range(0, len(taps), stride)
        return [(s, taps[s : s + stride].reshape(-1, weight.shape[0])) for s in starts]

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        """Convolve."""
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        steps = (x.shape[1] - weight.shape[2]) // stride + 1
        out = x.new_zeros(len(x), steps, weight.shape[0])
        for first, matrix in Convolution.parts(weight, stride):
            rows = windows(x, first, len(matrix) // x.shape[2], stride, steps)
            for clip, target in zip(rows, out, strict=True):
                target.addmm_(clip, matrix)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of the frames and of the weight."""
        x, weight = ctx.saved_tensors
        grad = grad.contiguous()
        clips, steps, _ = grad.shape
        to_x = torch.zeros_like(x)
        to_taps = []
        for first, matrix in Convolution.parts(weight, ctx.stride):
            taps = len(matrix) // x.shape[2]
            to_matrix = torch.zeros_like(matrix)
            rows = windows(x, first, taps, ctx.stride, steps)
            targets = windows(to_x, first, taps, ctx.stride, steps)
            for clip in range(clips):
                to_matrix.addmm_(rows[clip].T, grad[clip])
                targets[clip].addmm_(grad[clip], matrix.T)
            to_taps.append(to_matrix.view(taps, x.shape[2], -1))
        return to_x, torch.cat(to_taps).permute(2, 1, 0), None


def as_autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Bring tensors to the type of products under autocast, which sees none that write in place."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype("cpu")) for tensor in tensors)


class FrontEnd(nn.Module):
    """Drop-in for the feature encoder of wav2vec 2.0 and HuBERT, sharing its layers.

    Gives clips × channels × frames, as that does.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.conv_layers = encoder.conv_layers

    def forward(self, waves: Tensor) -> Tensor:
        """Turn samples (clips × samples) into features."""
        x = waves.unsqueeze(-1)
        for layer in self.conv_layers:
            conv = layer.conv
            (kernel,), (stride,) = conv.kernel_size, conv.stride
            if x.shape[-1] == 1:  # samples: nothing before them wants a gradient
                x = x.squeeze(-1).unfold(-1, kernel, stride) @ conv.weight[:, 0].T.contiguous()
            else:
                x = Convolution.apply(*as_autocast(x, conv.weight), stride)
            if conv.bias is not None:
                x = x + conv.bias
            x = layer.activation(self.norm(layer, x))
        return x.transpose(1, 2)

    @staticmethod
    def norm(layer: nn.Module, x: Tensor) -> Tensor:
        """Apply a layer's norm, if it has one: over channels, or each channel over a clip."""
        norm = getattr(layer, "layer_norm", None)
        if isinstance(norm, nn.GroupNorm):
            clips = [
                functional.batch_norm(c, None, None, norm.weight, norm.bias, True, 0.0, norm.eps)
                for c in x
            ]
            return torch.stack(clips)
        return x if norm is None else norm(x)
