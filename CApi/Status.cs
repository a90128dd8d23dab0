namespace MambaRT.CApi;

/// <summary>What functions return; the numbers are those of mambart.h.</summary>
internal enum Status
{
    Ok = 0,
    Argument = 1,
    Handle = 2,
    Format = 3,
    Unsupported = 4,
    Io = 5,
    Memory = 6,
    StateBudget = 7,
    Cancelled = 8,
    State = 9,
    Buffer = 10,
    Closed = 11,
    Internal = 12,
    Full = 13,
}
