namespace MambaRT.Backends.Cpu;

/// <summary>What the convolution of sixteen channels reads and writes; strides are in bytes, and a bit of the mask is a channel that exists.</summary>
internal unsafe struct ConvArguments
{
    public float* X, Y, Taps, Window, Bias;
    public long XStride, YStride, ChannelBytes, Rows, LaneMask;
}
