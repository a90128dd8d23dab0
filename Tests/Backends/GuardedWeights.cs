using MambaRT.Formats;

namespace MambaRT.Tests;

/// <summary>Copies of weights, each in a <see cref="GuardedMemory"/> of its own.</summary>
internal sealed class GuardedWeights : IWeightSource, IDisposable
{
    private readonly Dictionary<string, TensorView> _views = [];

    public GuardedWeights(IWeightSource source, IEnumerable<string> names, Guard side)
    {
        foreach (string name in names)
        {
            if (!source.TryGet(name, out TensorView view)) throw new InvalidOperationException(name);
            var memory = new GuardedMemory(view.Part(0, (int)view.Bytes), side);
            _views[name] = new TensorView(view.Type, view.Rows, view.Columns, memory.Address, memory);
        }
    }

    public bool TryGet(string name, out TensorView view) => _views.TryGetValue(name, out view);

    public void EnsureReadable()
    {
    }

    public void Dispose()
    {
        foreach (TensorView view in _views.Values) view.Owner.Dispose();
    }
}
