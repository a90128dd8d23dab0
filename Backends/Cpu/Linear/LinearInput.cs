namespace MambaRT.Backends.Cpu;

/// <summary>What a projection reads: the rows in float32, and rounded to 8 bit where its kernel wants them so.</summary>
internal readonly struct LinearInput(Matrix values, QuantizedRows? quantized)
{
    public readonly Matrix Values = values;
    public readonly QuantizedRows? Quantized = quantized;
}
