local health = {status = "Progressing", message = "No controller has seen these bounds yet."}
local status = obj.status
if status == nil or (status.observedGeneration ~= nil and status.observedGeneration ~= obj.metadata.generation) then
  return health
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message or condition.reason
    if condition.status == "True" then
      health.status = "Healthy"
      health.message = "Ready replicas: " .. (status.actualScale or 0)
    elseif condition.status == "False" then
      health.status = "Degraded"
    end
  end
end
return health
