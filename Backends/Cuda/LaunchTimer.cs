namespace MambaRT.Backends.Cuda;

/// <summary>Runs launches one by one with a mark behind each, and notes the times between. They queue up behind a pause, so that the device does not wait for the host.</summary>
internal static class LaunchTimer
{
    /// <summary>The device waits this long, so that launches queue up before the first begins.</summary>
    private const int PauseMicroseconds = 4000;

    /// <param name="profile">Where the times go.</param>
    /// <param name="plan">Its ops.</param>
    /// <param name="launches">Their launches.</param>
    /// <param name="endOfOp">The launch after an op's last.</param>
    /// <param name="kernels">Has the kernel that pauses.</param>
    /// <param name="stream">Where they run.</param>
    public static void Run(KernelProfile profile, Plan plan, LaunchList launches, int[] endOfOp, KernelLibrary kernels, CudaStream stream)
    {
        var marks = new List<CudaEvent>();
        var pause = new LaunchList(early: false);
        pause.Add("pause", kernels.Function("pause", "pause"), 1, 1, 32, new PauseArguments { Nanoseconds = PauseMicroseconds * 1000L });
        try
        {
            for (int i = 0; i <= launches.Count; i++) marks.Add(new CudaEvent());
            pause.Run(stream, 0, 1);
            marks[0].Record(stream);
            for (int i = 0; i < launches.Count; i++)
            {
                launches.Run(stream, i, i + 1);
                marks[i + 1].Record(stream);
            }
            stream.Synchronize("a profiled run");
            for (int op = 0, i = 0; op < plan.Ops.Length; op++)
                for (; i < (op + 1 < plan.Ops.Length ? endOfOp[op] : launches.Count); i++) profile.Add(plan.Ops[op], plan.Ops[op].Name, launches.Kernel(i), marks[i + 1].Since(marks[i]));
        }
        finally
        {
            foreach (CudaEvent mark in marks) mark.Dispose();
        }
    }
}
