using System.Runtime.InteropServices;

namespace MambaRT.CApi;

// The structures of mambart.h, field by field.

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ModelOptionsLayout
{
    public uint Size;
    public int Threads;
    public byte* Backend;
    public int ChunkTokens;
    public int GpuLayers;
    public int CopyToMemory;
    public long StateBudget;
    public long Offset;
    public long Length;
    public delegate* unmanaged[Cdecl]<void*, byte*, long, long, int> Progress;
    public void* User;
    public long MemoryLimit;
    public delegate* unmanaged[Cdecl]<void*, nuint, void*> Allocate;
    public delegate* unmanaged[Cdecl]<void*, void*, nuint, void> Release;
    public void* AllocatorUser;
    public delegate* unmanaged[Cdecl]<void*, int, delegate* unmanaged[Cdecl]<void*, int, void>, void*, void> ParallelFor;
    public void* ParallelUser;
    public byte* PipelineFolder;
    public byte* StateFolder;

    public static ModelOptionsLayout Defaults => new() { Size = (uint)sizeof(ModelOptionsLayout), GpuLayers = -1 };
}

[StructLayout(LayoutKind.Sequential)]
internal struct MemoryLayout
{
    public uint Size;
    public int OnDevice;
    public long FileBytes;
    public long WeightBytes;
    public long StatesBytes;
    public long ScratchBytes;
    public long TotalBytes;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ModelInfoLayout
{
    public uint Size;
    public int Vocabulary;
    public int ChunkTokens;
    public int OnDevice;
    public long StateBytes;
    public long StateBudget;
    public long WeightBytes;
    public long StatesBytes;
    public long ScratchBytes;
    public int Bos;
    public int Eos;
    public int Eot;
    public int HasVocabulary;
}

[StructLayout(LayoutKind.Sequential)]
internal struct SamplerOptionsLayout
{
    public uint Size;
    public float Temperature;
    public int TopK;
    public float TopP;
    public float MinP;
    public float TypicalP;
    public float RepeatPenalty;
    public int RepeatLastN;
    public float FrequencyPenalty;
    public float PresencePenalty;
    public float XtcProbability;
    public float XtcThreshold;
    public int Mirostat;
    public float MirostatTau;
    public float MirostatEta;
    public int HasSeed;
    public uint Seed;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TextOptionsLayout
{
    public uint Size;
    public int MaxTokens;
    public byte** Stop;
    public nuint StopCount;
    public int IgnoreEnd;

    public static TextOptionsLayout Defaults => new() { Size = (uint)sizeof(TextOptionsLayout), MaxTokens = -1 };
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageLayout
{
    public byte* Role;
    public byte* Text;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HostOptionsLayout
{
    public uint Size;
    public int Manual;
    public int MaxSequences;
    public int MaxQueue;
    public int Deterministic;

    public static HostOptionsLayout Defaults
    {
        get
        {
            var options = new ModelHostOptions();
            return new() { Size = (uint)sizeof(HostOptionsLayout), MaxSequences = options.MaxSequences, MaxQueue = options.MaxQueue };
        }
    }
}

[StructLayout(LayoutKind.Sequential)]
internal struct HostLoadLayout
{
    public uint Size;
    public int Active;
    public int Waiting;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ProgressLayout
{
    public uint Size;
    public int PromptTokens;
    public int GeneratedTokens;
    public int Finished;
    public int More;
}

[StructLayout(LayoutKind.Sequential)]
internal struct TextStatsLayout
{
    public uint Size;
    public int Stop;
    public int PromptTokens;
    public int GeneratedTokens;
    public long PromptMicroseconds;
    public long GenerationMicroseconds;
    public int CachedTokens;
}
