local health = {status = "Progressing", message = "Knative has not seen this spec yet."}
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end
for _, condition in ipairs(obj.status.conditions or {}) do
  if condition.type == "Ready" then
    health.message = condition.message or condition.reason
    if condition.status == "True" then
      health.status = "Healthy"
      health.message = "The Service is ready."
    elseif condition.status == "False" then
      health.status = "Degraded"
    end
  end
end
return health
