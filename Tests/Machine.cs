using System.ComponentModel;
using System.Diagnostics;
using MambaRT.Backends.Cpu;
using MambaRT.Backends.Cuda;
using MambaRT.Backends.Vulkan;

namespace MambaRT.Tests;

/// <summary>What a test may need of the machine that it runs on.</summary>
[Flags]
internal enum Needs
{
    None = 0,

    /// <summary>Links, file modes and renames over open files as Unix has them.</summary>
    Unix = 1,

    Linux = 2,

    /// <summary>A user to whom permissions apply.</summary>
    Unprivileged = 4,

    EmittedCode = 8,

    /// <summary>A user, process number and mount space of one's own.</summary>
    Namespaces = 16,

    /// <summary>Two cores between which threads can be moved.</summary>
    MovedThreads = 32,

    OtherThanLinux = 64,

    /// <summary>A CUDA driver with a device, real or emulated.</summary>
    Cuda = 128,

    /// <summary>The driver that Shaders/build-emulation.sh makes, which fails on demand.</summary>
    EmulatedCuda = 256,

    /// <summary>A CUDA device that is there.</summary>
    CudaDevice = 512,

    /// <summary>A Vulkan device, real or Mesa's lavapipe.</summary>
    Vulkan = 1024,

    /// <summary>A Vulkan device that is no software: workgroups of one dispatch are under way together there.</summary>
    VulkanCard = 2048,
}

/// <summary>Why this machine cannot run a test, asked when tests are discovered.</summary>
internal static class Machine
{
    private static readonly (Needs Need, Lazy<bool> Has, string Reason)[] Known =
    [
        (Needs.Unix, new(() => !OperatingSystem.IsWindows()), "Windows has no such links, modes or renames."),
        (Needs.Linux, new(OperatingSystem.IsLinux), "Only Linux does this."),
        (Needs.Unprivileged, new(() => !Environment.IsPrivilegedProcess), "The tests run as root, who may write everywhere."),
        (Needs.EmittedCode, new(() => Avx512Support.IsAvailable), "This machine cannot run the emitted code: AVX-512 with VNNI on x86-64 Linux, and memory for code."),
        (Needs.Namespaces, new(GivesNamespaces), "This system gives a user no process numbers or mounts of their own (unshare)."),
        (Needs.MovedThreads, new(() => Stragglers.For(2) is not null), "Threads are moved on Linux only, and where there are two cores."),
        (Needs.Cuda, new(() => CudaDriver.IsAvailable), "There is no CUDA device, and Shaders/build-emulation.sh's is not on LD_LIBRARY_PATH."),
        (Needs.CudaDevice, new(() => CudaDriver.IsAvailable && !EmulatedCuda.IsLoaded), "There is no CUDA device."),
        (Needs.Vulkan, new(() => VulkanBackend.WhyNot(0) is null), $"Vulkan: {VulkanBackend.WhyNot(0)}."),
        (Needs.VulkanCard, new(() => VulkanBackend.WhyNot(0) is null && !VulkanBackend.IsSoftware(0)), "There is no Vulkan device, or it is software, whose workgroups follow each other."),
        (Needs.OtherThanLinux, new(() => !OperatingSystem.IsLinux()), "Linux does otherwise."),
        (Needs.EmulatedCuda, new(() => EmulatedCuda.IsLoaded), "The CUDA driver is not the emulated one (Shaders/build-emulation.sh)."),
    ];

    /// <summary>The reason of the first need that is not met; null when all are.</summary>
    public static string? Lacks(Needs needs)
    {
        foreach ((Needs need, Lazy<bool> has, string reason) in Known)
            if (needs.HasFlag(need) && !has.Value) return reason;
        return null;
    }

    private static bool GivesNamespaces()
    {
        if (!OperatingSystem.IsLinux()) return false;
        try
        {
            using Process unshare = Process.Start(new ProcessStartInfo("unshare",
                ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", "mount -t tmpfs -o size=1m none /tmp"]) { RedirectStandardError = true })!;
            unshare.StandardError.ReadToEnd();
            unshare.WaitForExit();
            return unshare.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;   // no such program
        }
    }
}
