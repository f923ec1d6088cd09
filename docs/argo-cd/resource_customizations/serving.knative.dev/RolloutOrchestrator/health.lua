local health = {status = "Progressing", message = "No controller has seen this spec yet."}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready, paused, stalled = conditions.Ready, conditions.Paused, conditions.Stalled
if ready == nil then
  return health
end
health.message = ready.message or ready.reason
if ready.status == "True" then
  health.status = "Healthy"
  health.message = "The rollout is complete."
elseif stalled ~= nil and stalled.status == "True" then
  health.status = "Degraded"
  health.message = stalled.message
elseif ready.status == "False" then
  health.status = "Degraded"
elseif paused ~= nil and paused.status == "True" then
  health.status = "Suspended"
  health.message = paused.message
end
return health
