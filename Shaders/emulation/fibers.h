#pragma once
/// Runs a kernel over a grid, to its end.
void run_grid(void (*kernel)(void*), void* arguments, int gridX, int gridY, int threads);
