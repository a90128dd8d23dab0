using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>Two devices as one: the last layers of a network and its head run on one of them, all before on the other. Either may be such a pair itself.</summary>
/// <remarks>What crosses from one to the other goes through the host. States go in and out in the whole network's canonical form, wherever its layers are.</remarks>
public sealed class SplitBackend : IBackend
{
    private readonly IBackend _first, _last;
    private readonly int _lastLayers;

    /// <summary>Joins two devices, which are this one's to dispose.</summary>
    /// <param name="first">Looks tokens up and runs the first layers.</param>
    /// <param name="last">Runs the last layers and the head.</param>
    /// <param name="lastLayers">How many layers those are. With 0, or all a network has or more, one device runs it alone.</param>
    public SplitBackend(IBackend first, IBackend last, int lastLayers)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(last);
        ArgumentOutOfRangeException.ThrowIfNegative(lastLayers);
        (_first, _last, _lastLayers) = (first, last, lastLayers);
    }

    /// <summary>Says, for a model that one device cannot hold, how many of its last layers it can: a clause with a comma and 'or' behind it; empty where it can hold none.</summary>
    /// <param name="plan">The network.</param>
    /// <param name="fits">Whether the device holds a piece of it.</param>
    public static string WayOut(Plan plan, Func<Plan, bool> fits)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(fits);
        int layers = 0, most = plan.Layers.Length - 1;
        while (layers < most)
        {
            int some = (layers + most + 1) / 2;
            if (fits(plan.Cut(plan.Layers[^some]).Second)) layers = some;
            else most = some - 1;
        }
        return layers > 0 ? $"give the device the last {layers} layers with --gpu-layers {layers}, or " : "";
    }

    /// <inheritdoc/>
    public string Name => $"{_first.Name}+{_last.Name}";

    /// <inheritdoc/>
    public string Description => $"the last {(_lastLayers == 1 ? "layer" : $"{_lastLayers} layers")} on {_last.Name} ({_last.Description}), those before on {_first.Name} ({_first.Description})";

    /// <inheritdoc/>
    public DeviceDescription Device
    {
        get
        {
            DeviceDescription first = _first.Device, last = _last.Device;
            return new DeviceDescription($"{first.Name} + {last.Name}", first.MemoryBytes + last.MemoryBytes, first.SharesHostMemory && last.SharesHostMemory, Math.Max(first.ChunkTokens, last.ChunkTokens), Math.Min(first.MostTokens, last.MostTokens));
        }
    }

    /// <inheritdoc/>
    public int ChunkTokensFor(Plan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return Pieces(plan) is (Plan first, Plan last) ? Math.Max(_first.ChunkTokensFor(first), _last.ChunkTokensFor(last)) : Only(plan).ChunkTokensFor(plan);
    }

    /// <inheritdoc/>
    public string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null)
    {
        ArgumentNullException.ThrowIfNull(plan);
        if (Pieces(plan) is not (Plan first, Plan last)) return Only(plan).WhyNot(plan, weights, chunkTokens);
        int chunk = chunkTokens ?? ChunkTokensFor(plan);
        return _first.WhyNot(first, weights, chunk) ?? _last.WhyNot(last, weights, chunk);
    }

    /// <inheritdoc/>
    public MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return Pieces(plan) is (Plan first, Plan last) ? _first.Estimate(first, weights, options) + _last.Estimate(last, weights, options) : Only(plan).Estimate(plan, weights, options);
    }

    /// <inheritdoc/>
    public ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(options);
        if (Pieces(plan) is not (Plan first, Plan last)) return Only(plan).Load(plan, weights, options, cancel);
        ILoadedModel begun = _first.Load(first, weights, OptionsOf(first), cancel);
        try
        {
            return new SplitModel(new SplitPlan(plan, first, last), begun, _last.Load(last, weights, OptionsOf(last), cancel), options);
        }
        catch
        {
            begun.Dispose();
            throw;
        }

        // The budget is for both together, and kept by the model of both.
        LoadOptions OptionsOf(Plan piece) => options with
        {
            StateBudget = long.MaxValue,
            Observer = options.Observer is { } observer ? new PieceObserver(observer, plan, piece) : null,
        };
    }

    /// <summary>Disposes both devices.</summary>
    public void Dispose()
    {
        _first.Dispose();
        _last.Dispose();
    }

    /// <summary>The two plans, or null where one device runs the whole.</summary>
    private (Plan First, Plan Last)? Pieces(Plan plan)
    {
        ReadOnlySpan<int> layers = plan.Layers;
        return _lastLayers == 0 || _lastLayers >= layers.Length ? null : plan.Cut(layers[^_lastLayers]);
    }

    private IBackend Only(Plan plan) => _lastLayers == 0 && plan.Layers.Length > 0 ? _first : _last;

    /// <summary>Tells an observer of the whole what is seen in a piece.</summary>
    private sealed class PieceObserver(IActivationObserver observer, Plan whole, Plan piece) : IActivationObserver
    {
        private readonly WeightRef[] _weights = [.. piece.Weights.ToArray().Select(whole.IndexOf)];

        public void Observe(WeightRef weight, ReadOnlySpan<float> row) => observer.Observe(_weights[weight.Index], row);
    }
}
