using System.IO.Pipes;
using MambaRT.Formats;
using Xunit;

namespace MambaRT.Tests;

public sealed class PathKindsTests
{
    [Fact]
    public void Of_WhatIsThere_IsToldApart()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["empty"], "");
        Assert.Equal((PathKind.File, PathKind.Folder, PathKind.None, PathKind.None),
            (PathKinds.Of(folder["empty"]), PathKinds.Of(folder["."]), PathKinds.Of(folder["none"]), PathKinds.Of("")));
    }

    [MachineFact(Needs.Linux)]
    public void Of_PipeDeviceOrLink_IsToldApart()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["empty"], "");
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        File.CreateSymbolicLink(folder["link"], folder["empty"]);
        Assert.Equal((PathKind.Device, PathKind.Pipe, PathKind.File), (PathKinds.Of("/dev/zero"), PathKinds.Of(PathOf(pipe)), PathKinds.Of(folder["link"])));
    }

    [MachineFact(Needs.Linux)]
    public void Model_OnAPipeOrDevice_SaysWhatToDoInstead()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        foreach ((string path, string kind) in ((string, string)[])[(PathOf(pipe), "pipe"), ("/dev/zero", "device")])
        {
            string message = Assert.Throws<FormatException>(() => GgufFile.Open(path)).Message;
            Assert.Contains($"{path}: this is a {kind}", message, StringComparison.Ordinal);
            Assert.Contains("save them to a file", message, StringComparison.Ordinal);
        }
    }

    private static string PathOf(AnonymousPipeServerStream pipe) => $"/proc/self/fd/{pipe.SafePipeHandle.DangerousGetHandle()}";
}
