namespace MambaRT.Devices;

/// <summary>How the weights of a storage type lie on a GPU.</summary>
public enum WeightLayout
{
    /// <summary>Floats or blocks, as in the file.</summary>
    AsStored,
    /// <summary>Float32, whatever the file holds: vectors and small matrices.</summary>
    Decoded,
    /// <summary>Q8_0: all quants, then all scales. The same bytes, so that both are read aligned.</summary>
    Repacked,
    /// <summary>Q6_K: blocks of 210 bytes at multiples of 224, so that they are read aligned.</summary>
    Padded,
    /// <summary>A signed byte a value, then a float32 scale for each sixteen: exactly what the definition decodes to.</summary>
    Expanded,
}
