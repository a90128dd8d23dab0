using System.Runtime.InteropServices;

namespace MambaRT;

/// <summary>Finds where values left the range, when a run has given logits that are not finite: what an op reads stays in its state.</summary>
internal static class NonFiniteStates
{
    /// <summary>The first op, in the plan's order, whose state is not finite after a run; null where all are.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="loaded">The device's side.</param>
    /// <param name="sequences">What was run.</param>
    public static string? First(Plan plan, ILoadedModel loaded, scoped ReadOnlySpan<SequenceSpan> sequences)
    {
        ReadOnlySpan<StateSpec> states = plan.States.Entries;
        int first = states.Length;
        foreach (SequenceSpan span in sequences)
        {
            if (loaded.PositionOf(span.Slot) is not long position) continue;
            byte[] bytes = new byte[plan.States.Bytes(position)];
            loaded.ExportSlot(span.Slot, position, new MemoryStream(bytes));
            ReadOnlySpan<float> values = MemoryMarshal.Cast<byte, float>(bytes);
            for (int i = 0; i < first; i++)
                if (!Logits.AreFinite(values.Slice((int)states[i].CanonicalOffset, (int)states[i].Count))) first = i;
        }
        return first == states.Length ? null : states[first].Name;
    }
}
