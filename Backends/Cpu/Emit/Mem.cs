namespace MambaRT.Backends.Cpu;

/// <summary>Memory at base + index·scale + offset, read whole or as one int or float that fills all lanes.</summary>
internal readonly record struct Mem(Gpr Base, int Offset = 0, Gpr? Index = null, int Scale = 1, bool Broadcast = false)
{
    /// <summary>The 32 bits at this address in every lane.</summary>
    public Mem ToAllLanes => this with { Broadcast = true };

    public Mem Plus(int bytes) => this with { Offset = Offset + bytes };

    /// <summary>A field of the structure at this address.</summary>
    public Mem Field<T>(FieldOf<T> field) where T : unmanaged => Plus(Fields.OffsetOf(field));
}
