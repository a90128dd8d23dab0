using System.Runtime.Intrinsics;

namespace MambaRT.Backends.Cpu;

/// <summary>A block type seen as bytes: value = scale·(q − Zero) + offset, with scale and offset per group of 16 or 32 neighbours.</summary>
/// <remarks>What the definition in Formats decodes to float32, in the form that integer dot products want. Tested against it for every type.</remarks>
internal unsafe interface IInt8Block
{
    /// <summary>Values of a block: 32 or 256.</summary>
    static abstract int Length { get; }

    /// <summary>Bytes of a block.</summary>
    static abstract int Bytes { get; }

    /// <summary>Values that share a scale: 16 or 32.</summary>
    static abstract int Group { get; }

    /// <summary>Whether q is a signed byte over the whole range; else it is 0 to <see cref="Most"/>.</summary>
    static abstract bool Signed { get; }

    /// <summary>The largest q where it is unsigned.</summary>
    static virtual int Most => 63;

    /// <summary>What is taken off q; 0 where <see cref="Signed"/>.</summary>
    static abstract int Zero { get; }

    /// <summary>Whether offsets can be other than zero.</summary>
    static abstract bool HasOffset { get; }

    /// <summary>Whether a row's last block may hold fewer values than its length: a multiple of 32.</summary>
    static virtual bool EndsEarly => false;

    /// <summary>q of values 32·<paramref name="part"/> to 32·part + 31, in order.</summary>
    static abstract Vector256<byte> Load(byte* block, int part);

    /// <summary>Writes Length / Group scales and, with <see cref="HasOffset"/>, as many offsets.</summary>
    static abstract void Scales(byte* block, float* scales, float* offsets);
}
