"""The next-symbol model: one recurrent network that reads symbols and foretells the next.

Given H E L L it is to say E L L O: the state-space form x_t = f(x_{t-1}, u_t), y_t = h(x_t) (Elman
1990), with characters for u. The same cells and the same weights read the source and write the
target, whose first symbol is foretold by the state that reading left. So one model has all the
shapes of use:

- many to many: with an empty source, every symbol of the target is foretold from those before it;
- one to many: read a first symbol, or a few, and go on;
- many to one: read a whole string, and say one symbol of it.

Shapes: B sentences or rows, S source and T target positions, E embedding, H hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.config import ModelConfig
from training.data.fitting import SPECIAL_IDS
from training.layers import Dropout, RecurrentLayer, SharedDropout, State, make_recurrent
from training.models.decoder import DecoderState
from training.models.encoder import Encoded

__all__ = ["NextSymbolDecoder", "Reader"]


class NextSymbolDecoder(nn.Module):
    """A stack of recurrent layers. ``bos`` says nothing: it leaves the state as reading left it."""

    attends = False

    def __init__(self, config: ModelConfig, embedding: nn.Embedding, output: nn.Linear) -> None:
        super().__init__()
        self.embedding = embedding
        self.output = output
        self.hidden = config.decoder_hidden
        widths = [config.embedding] + [self.hidden] * (config.decoder_layers - 1)
        self.layers = nn.ModuleList(
            make_recurrent(
                config.cell,
                width,
                self.hidden,
                depth=config.decoder_transitions,
                normed=config.cell_norm,
            )
            for width in widths
        )
        self.states_per_layer = 2 if config.cell == "lstm" else 1
        self.readout = nn.Linear(self.hidden, config.embedding)
        self.dropout = SharedDropout(config.dropout)
        self.output_dropout = Dropout(config.output_dropout)

    @property
    def recurrent(self) -> list[RecurrentLayer]:
        """The layers, bottom first."""
        return [layer for layer in self.layers if isinstance(layer, RecurrentLayer)]

    def keys(self, memory_BSM: Tensor) -> Tensor:
        """Nothing looks back."""
        return memory_BSM

    def initial_state(self, encoded: Encoded) -> DecoderState:
        """What reading left."""
        parts = encoded.summary_BM.split(self.hidden, dim=-1)
        return self.stacked([part.contiguous() for part in parts])

    def stacked(self, parts: Sequence[Tensor]) -> DecoderState:
        """The flat list of all layers' tensors, bottom first, as a state."""
        n = self.states_per_layer
        return DecoderState(tuple(tuple(parts[i : i + n]) for i in range(0, len(parts), n)))

    def read(self, ids_BT: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """The top layer's outputs [T, B, H] for given symbols, and the state after the last."""
        y_TBH = self.embedding(ids_BT.t())
        after: list[State] = []
        for layer, before in zip(self.recurrent, state.layers, strict=True):
            y_TBH, last = layer(self.dropout(y_TBH), before)
            after.append(last)
        return y_TBH, DecoderState(tuple(after))

    def forward(
        self, tokens_BT: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, None]:
        """All steps at once: the read-outs [B, T, E] and the state after the last step. ``bos``
        stands in the first place or nowhere.
        """
        del encoded  # the state holds all that was read
        _, after = self.read(tokens_BT[:, :1], state)
        after = held(tokens_BT[:, 0] == SPECIAL_IDS.bos, state, after)
        outputs = [after.layers[-1][0].unsqueeze(0)]  # h of the top layer
        if tokens_BT.shape[1] > 1:
            rest_TBH, after = self.read(tokens_BT[:, 1:], after)
            outputs.append(rest_TBH)
        readout_TBE = torch.tanh(self.readout(torch.cat(outputs)))
        return self.output_dropout(readout_TBE).transpose(0, 1), after, None

    def step(
        self, tokens_B: Tensor, state: DecoderState, encoded: Encoded
    ) -> tuple[Tensor, DecoderState, None]:
        """One symbol: scores [B, V] of the next one (not normalised) and the next state."""
        readout_B1E, after, _ = self(tokens_B.unsqueeze(1), state, encoded)
        return self.output(readout_B1E[:, 0]), after, None


class Reader(nn.Module):
    """Reads the source with the layers that go on writing it."""

    def __init__(self, decoder: NextSymbolDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A memory of nothing, the mask [B, S], and all states after the last symbol side by side.
        The eos that ends a source is not read: what comes next is open.
        """
        positions_S = torch.arange(source_BS.shape[1], device=source_BS.device)
        zeros_BH = self.decoder.embedding.weight.new_zeros(len(source_BS), self.decoder.hidden)
        parts = len(self.decoder.layers) * self.decoder.states_per_layer
        state = self.decoder.stacked([zeros_BH] * parts)
        symbols_BS = source_BS[:, :-1]
        if symbols_BS.shape[1] and bool((lengths_B == source_BS.shape[1]).all()):
            _, state = self.decoder.read(symbols_BS, state)
        else:
            for s, ids_B in enumerate(symbols_BS.t()):
                _, after = self.decoder.read(ids_B.unsqueeze(1), state)
                state = held(lengths_B - 1 <= s, state, after)
        memory_BS1 = zeros_BH.new_zeros(*source_BS.shape, 1)
        mask_BS = positions_S < lengths_B.unsqueeze(1)
        return memory_BS1, mask_BS, torch.cat(state.flat, dim=-1)


def held(still_B: Tensor, before: DecoderState, after: DecoderState) -> DecoderState:
    """The state before where a row stands still, after where it goes on."""
    still_B1 = still_B.unsqueeze(1)
    return DecoderState(
        tuple(
            tuple(torch.where(still_B1, old, new) for old, new in zip(*pair, strict=True))
            for pair in zip(before.layers, after.layers, strict=True)
        )
    )
