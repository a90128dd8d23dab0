namespace MambaRT.Bench;

/// <summary>What to measure.</summary>
public sealed record BenchOptions
{
    /// <summary>The model's file.</summary>
    public required string Path { get; init; }

    /// <summary>Where in the file the model lies, and its chunk size.</summary>
    public ModelOptions Model { get; init; } = new();

    /// <summary>Backends by name.</summary>
    public IReadOnlyList<string> Backends { get; init; } = ["cpu"];

    /// <summary>Layers that run on the GPU where a backend is one, from the model's end, the others on the CPU; null for the whole model.</summary>
    public int? GpuLayers { get; init; }

    /// <summary>Threads of the CPU backend; empty for 1 and one per core (of <see cref="Cores"/>, where given).</summary>
    public IReadOnlyList<int> Threads { get; init; } = [];

    /// <summary>Cores that the CPU backend's threads are pinned to, as many of them as there are threads; null = where the system puts them.</summary>
    public IReadOnlyList<int>? Cores { get; init; }

    /// <summary>Lengths of prompts.</summary>
    public IReadOnlyList<int> Prompts { get; init; } = [128, 512, 2048];

    /// <summary>Sequences decoded at once.</summary>
    public IReadOnlyList<int> Batches { get; init; } = [1, 4, 16];

    /// <summary>Tokens of each sequence in a repetition of decode.</summary>
    public int DecodeTokens { get; init; } = 128;

    /// <summary>Whether decoding brings every row of logits to the host, rather than the token that was picked from it.</summary>
    public bool Logits { get; init; }

    /// <summary>Tokens of a long generation whose time and memory are followed; 0 for none.</summary>
    public int CurveTokens { get; init; }

    /// <summary>About how long one measurement may take. Work that is too slow for it is cut, never below one repetition of 16 tokens.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Whether logits are compared with Reference first.</summary>
    public bool Check { get; init; } = true;

    /// <summary>Whether <see cref="Progress"/> is also told what each kernel took, on backends that can say.</summary>
    public bool Ops { get; init; }

    /// <summary>The program's version line, for the record.</summary>
    public string Version { get; init; } = "";

    /// <summary>Where a GPU keeps what its driver makes of shaders, as a program does; null for nowhere.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>Told what is being done, a line at a time.</summary>
    public Action<string> Progress { get; init; } = _ => { };
}
