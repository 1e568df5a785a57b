-- Health of a sluice.dev DeploymentGroup: healthy only while what Git asks for is what runs.
-- Argo CD hands in `obj` and offers no standard library.
local function answer(status, message)
  return {status = status, message = message or ""}
end

local function find(conditions, kind)
  for _, condition in ipairs(conditions or {}) do
    if condition.type == kind and condition.status == "True" then
      return condition
    end
  end
  return nil
end

local meta = obj.metadata or {}
if meta.deletionTimestamp ~= nil then
  return answer("Progressing", "Pending deletion: a running deployment is stopped first")
end

local status = obj.status
if status == nil or status.phase == nil then
  return answer("Progressing", "Waiting for the controller to look at it")
end
if status.observedGeneration ~= nil and meta.generation ~= nil and status.observedGeneration ~= meta.generation then
  return answer("Progressing", "Waiting for the controller to look at the change")
end

local phase = status.phase
local message = status.message or phase
if phase == "Failed" or phase == "Stopped" or phase == "RolledBack" then
  return answer("Degraded", message)
end

local stalled = find(status.conditions, "Stalled")
if stalled ~= nil then
  return answer("Degraded", stalled.message or message)
end
local reconciling = find(status.conditions, "Reconciling")
if reconciling ~= nil and reconciling.reason == "WaitingForContinue" then
  return answer("Suspended", message)
end
if phase == "Ready" and reconciling == nil then
  return answer("Healthy", message)
end
return answer("Progressing", message)
