using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>Refuses weights that are not finite: vectors and small matrices when it is made, rows of the others when they are read for the first time.</summary>
/// <remarks>
/// What a mapped file holds is not read before it is used, so large matrices cannot be checked at load. Checked beside their first product, they come from
/// memory once for both; after that a call costs a comparison. So a backend's arithmetic may take every weight for finite. Rows may be checked by several threads.
/// </remarks>
public sealed class FiniteWeights
{
    /// <summary>Rows that are checked together: <see cref="Check"/> begins at a multiple of it.</summary>
    public const int RowsTogether = 16;

    private readonly Plan _plan;
    private readonly TensorView[] _views;
    private readonly string _subject;
    private readonly bool[][] _known;   // of each weight and group of rows, whether it is finite
    private readonly int[] _left;       // groups of which that is not known

    /// <summary>Checks vectors and small matrices, which every backend decodes at load.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="views">The plan's weights, in its order.</param>
    /// <param name="subject">What errors are about: the model's file.</param>
    /// <exception cref="FormatException">One of them is not finite; the message names it.</exception>
    public FiniteWeights(Plan plan, TensorView[] views, string subject)
    {
        (_plan, _views, _subject) = (plan, views, subject);
        _known = new bool[views.Length][];
        _left = new int[views.Length];
        for (int i = 0; i < views.Length; i++)
        {
            _left[i] = (views[i].Rows + RowsTogether - 1) / RowsTogether;
            _known[i] = new bool[_left[i]];
            if (plan.Weights[i].IsDecoded) Check(new WeightRef(i), 0, views[i].Rows);
        }
    }

    /// <summary>Makes sure that rows that are about to be read are finite; rows known to be so are not looked at again.</summary>
    /// <param name="weight">A weight of the plan.</param>
    /// <param name="begin">The first row, a multiple of <see cref="RowsTogether"/>.</param>
    /// <param name="count">Rows.</param>
    /// <exception cref="FormatException">They are not; the message names the tensor.</exception>
    public void Check(WeightRef weight, int begin, int count)
    {
        if (Volatile.Read(ref _left[weight.Index]) == 0) return;
        TensorView view = _views[weight.Index];
        bool[] known = _known[weight.Index];
        for (int row = begin; row < begin + count; row += RowsTogether)
        {
            ref bool group = ref known[row / RowsTogether];
            if (group) continue;
            if (!view.AreFinite(row, Math.Min(RowsTogether, view.Rows - row))) throw NotFinite(_subject, _plan.Weights[weight.Index].Name, view);
            group = true;
            Interlocked.Decrement(ref _left[weight.Index]);
        }
    }

    /// <summary>What <see cref="Check"/> would throw of a whole weight, for a backend that reads all of it at load and tells at the first run; null where it is finite.</summary>
    /// <param name="weight">A weight of the plan.</param>
    public FormatException? Refusal(WeightRef weight)
    {
        try
        {
            Check(weight, 0, _views[weight.Index].Rows);
            return null;
        }
        catch (FormatException e)
        {
            return e;
        }
    }

    /// <summary>What to throw where an op meets or makes values that are not finite although its weights are.</summary>
    public FormatException Overflow(string op) => Overflow(_subject, op);

    /// <inheritdoc cref="Overflow(string)"/>
    internal static FormatException Overflow(string subject, string op) =>
        new($"{subject}: the values at '{op}' are not finite although the weights are; they leave the range of float32, so every answer would be worthless. The weights (or a saved state that was restored) are damaged: download or convert the model again.");

    /// <summary>What to throw for a tensor that is not finite.</summary>
    internal static FormatException NotFinite(string subject, string name, in TensorView view)
    {
        (int first, int count) = view.NonFiniteRows();
        string rows = view.Rows == 1 ? "" : $" in {count} of its {view.Rows} rows, first in row {first}";
        return new($"{subject}: tensor '{name}' holds NaN or infinity{rows}; every weight must be finite. 'mambart info --check' lists all such tensors; download or convert the model again.");
    }
}
