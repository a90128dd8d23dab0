namespace MambaRT.Devices;

/// <summary>Neighbouring ops of a plan that one kernel of a step of decode does.</summary>
/// <param name="Count">How many ops.</param>
public sealed record StepGroup(int Count)
{
    /// <summary>Chooses the rows of what follows, or null.</summary>
    public SelectOutputsOp? Select { get; init; }

    /// <summary>Norms the product's input, or null.</summary>
    public RmsNormOp? Norm { get; init; }

    /// <summary>Gates and norms the product's input, or null.</summary>
    public GatedRmsNormOp? Gate { get; init; }

    /// <summary>The product; before a scan, that of dt.</summary>
    public LinearOp? Linear { get; init; }

    /// <summary>The convolution of some of the product's outputs, or null.</summary>
    public CausalConvOp? Conv { get; init; }

    /// <summary>Mamba-1's scan, or null.</summary>
    public SelectiveScanOp? Scan { get; init; }

    /// <summary>Norms of dt, B and C before that, or null.</summary>
    public RmsNormOp[]? ScanNorms { get; init; }

    /// <summary>Mamba-2's scan, or null.</summary>
    public SsdScanOp? Ssd { get; init; }

    /// <summary>What the product reads before anything is done to it.</summary>
    public Activation Source => Select?.X ?? Norm?.X ?? Gate?.X ?? Linear!.X;   // groups with a source have a product
}
