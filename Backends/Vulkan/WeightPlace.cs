namespace MambaRT.Backends.Vulkan;

/// <summary>A weight on the device.</summary>
/// <param name="Form">Its form.</param>
/// <param name="Data">Its values.</param>
/// <param name="Scales">Its scales where they lie apart, else nothing.</param>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns.</param>
/// <param name="RowBytes">Bytes of a row of values.</param>
/// <param name="RowScaleBytes">Bytes of a row of scales.</param>
internal readonly record struct WeightPlace(WeightForm Form, BufferSlice Data, BufferSlice Scales, int Rows, int Columns, long RowBytes, long RowScaleBytes)
{
    /// <summary>1 where rows of floats begin at sixteen bytes and hold whole sixteens of columns, as shaders are told, else 0.</summary>
    public uint IsWide => !Form.IsQuantized && RowBytes % 16 == 0 && Columns % 16 == 0 ? 1u : 0;

    /// <summary>What shaders are told of some of its rows, which they are given alone.</summary>
    public PushedWeights Pushed(int first, int count) =>
        new() { RowBytes = (uint)RowBytes, RowScaleBytes = (uint)RowScaleBytes, Columns = (uint)Columns, First = (uint)first, Count = (uint)count };

    /// <summary>
    /// Cuts it into runs of rows that a device binds, each of which begins where bindings may: most weights are one; lavapipe binds 128 MiB.
    /// </summary>
    /// <param name="device">The device.</param>
    /// <param name="mostRows">Rows of a run at most, or as few as can begin where bindings may.</param>
    public IEnumerable<(int First, int Count, BufferSlice Data, BufferSlice Scales)> Parts(VulkanDevice device, long mostRows)
    {
        if (Data.Bytes <= device.MostWeightBytes && Rows <= mostRows)
        {
            yield return (0, Rows, Data, Scales);
            yield break;
        }
        // Rows that begin at a multiple of the alignment whatever a row's bytes are.
        long together = device.Traits.Alignment, most = Math.Min(device.MostWeightBytes / Math.Max(RowBytes, 1), Math.Max(mostRows, together)) / together * together;
        if (most == 0) throw new NotSupportedException($"{together} rows of {RowBytes:N0} bytes are more than {device.Traits.Name} binds at a time ({device.MostWeightBytes:N0} bytes); choose --backend cpu.");
        for (long first = 0; first < Rows; first += most)
        {
            long count = Math.Min(most, Rows - first);
            bool last = first + count == Rows;
            yield return ((int)first, (int)count, Data.Part(first * RowBytes, last ? Data.Bytes - first * RowBytes : count * RowBytes),
                Scales.Bytes == 0 ? default : Scales.Part(first * RowScaleBytes, last ? Scales.Bytes - first * RowScaleBytes : count * RowScaleBytes));
        }
    }
}
