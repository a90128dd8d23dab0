namespace MambaRT.Backends.Cpu;

/// <summary>Leads from a structure to one of its fields.</summary>
internal unsafe delegate void* FieldOf<T>(T* structure) where T : unmanaged;
