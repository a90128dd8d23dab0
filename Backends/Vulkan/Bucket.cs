namespace MambaRT.Backends.Vulkan;

/// <summary>Rows, sequences and outputs that recorded commands serve at most, and whether each sequence has one row.</summary>
internal readonly record struct Bucket(int Rows, int Sequences, int Outputs, bool Single);
