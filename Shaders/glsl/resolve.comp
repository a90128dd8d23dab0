#version 450
// Tokens that the run before has picked take their place in the batch. A sequence whose text ended with its pick goes on in the scratch slot.

layout(local_size_x = 64) in;
layout(binding = 0, std430) buffer BatchTable { uint batch[]; };   // as common.glsl reads it
layout(binding = 1, std430) readonly buffer Last { int last[]; };  // what was picked for each slot, inverted where that ended a text
layout(push_constant) uniform Push { uint lastPick; };             // Batch.LastPick

void main() {
  uint sequence = gl_GlobalInvocationID.x;
  if (sequence >= batch[2]) return;
  uint slotAt = batch[3] + sequence, tokenAt = batch[7] + batch[batch[4] + sequence];
  if (batch[tokenAt] != lastPick) return;
  int picked = last[batch[slotAt]];
  batch[tokenAt] = uint(picked < 0 ? ~picked : picked);
  if (picked < 0) batch[slotAt] = 0;
}
