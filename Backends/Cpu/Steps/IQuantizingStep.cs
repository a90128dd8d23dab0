namespace MambaRT.Backends.Cpu;

/// <summary>A step whose output a projection may want in 8 bit: it quantizes while the values are in cache, and saves a barrier.</summary>
internal interface IQuantizingStep
{
    /// <summary>Where to put the 8-bit copy, or null.</summary>
    QuantizedRows? Quantized { get; set; }
}
