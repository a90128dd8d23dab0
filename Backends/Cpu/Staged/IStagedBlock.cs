namespace MambaRT.Backends.Cpu;

/// <summary>A block type that is unpacked to <see cref="StagedInt8"/> before it is multiplied: value = scale·q exactly, q a signed byte.</summary>
/// <remarks>Tested against the definition in Formats for every type.</remarks>
internal unsafe interface IStagedBlock
{
    /// <summary>Bytes of 256 values.</summary>
    static abstract int Bytes { get; }

    /// <summary>Unpacks 256 values, or the 32·<paramref name="parts"/> that a row ends with.</summary>
    /// <param name="block">The block; blocks of 32 lie one after the other.</param>
    /// <param name="parts">8; may be less where a block has 32 values.</param>
    /// <param name="points">The codebook of the type as bytes, where it has one.</param>
    /// <param name="values">256 bytes, written.</param>
    /// <param name="scales">16 scales, written.</param>
    static abstract void Unpack(byte* block, int parts, void* points, byte* values, float* scales);
}
