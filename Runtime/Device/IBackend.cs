using MambaRT.Formats;

namespace MambaRT.Devices;

/// <summary>A device that runs plans.</summary>
/// <remarks>Any thread may ask it what it is; models are loaded by one thread at a time. It must outlive the models it loaded.</remarks>
public interface IBackend : IDisposable
{
    /// <summary>Such as "cpu" or "reference".</summary>
    string Name { get; }

    /// <summary>One line on the device: processor, instruction set, threads.</summary>
    string Description { get; }

    /// <summary>The device that weights and states are placed on.</summary>
    DeviceDescription Device { get; }

    /// <summary>Tokens of a prompt that the device runs best at a time for a plan: <see cref="DeviceDescription.ChunkTokens"/> unless it knows better.</summary>
    int ChunkTokensFor(Plan plan) => Device.ChunkTokens;

    /// <summary>Why the device cannot run a plan, in a sentence that names the op or tensor; null when it can. Loads nothing.</summary>
    /// <param name="plan">What it would run.</param>
    /// <param name="weights">Where the weights are read.</param>
    /// <param name="chunkTokens">Tokens that prompts will be fed in, which memory is counted for; null for as many as the device runs best.</param>
    string? WhyNot(Plan plan, IWeightSource weights, int? chunkTokens = null);

    /// <summary>What a model would take, told without placing it on a device: no less than <see cref="ILoadedModel.Memory"/> then says.</summary>
    /// <param name="plan">What it would run.</param>
    /// <param name="weights">Where the weights are read.</param>
    /// <param name="options">With what: <see cref="LoadOptions.Slots"/> states, prompts by <see cref="LoadOptions.ChunkTokens"/>, and batches of any number of them, up to a chunk's tokens.</param>
    /// <exception cref="FormatException">A tensor is missing, or one that is decoded at load is not finite.</exception>
    /// <exception cref="OverflowException">It is more than can be counted.</exception>
    MemoryUse Estimate(Plan plan, IWeightSource weights, LoadOptions options);

    /// <summary>Places the weights and makes room for states.</summary>
    /// <param name="plan">What it will run.</param>
    /// <param name="weights">Where the weights are read; it must outlive the loaded model.</param>
    /// <param name="options">What to prepare.</param>
    /// <param name="cancel">Looked at between tensors.</param>
    /// <exception cref="NotSupportedException">The device cannot run the plan: what <see cref="WhyNot"/> says.</exception>
    /// <exception cref="FormatException">A tensor is missing, or one that is decoded at load is not finite.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancel"/> fired; nothing is left behind.</exception>
    ILoadedModel Load(Plan plan, IWeightSource weights, LoadOptions options, CancellationToken cancel = default);
}
