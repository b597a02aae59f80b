// Package dynamics validates what Dynamics 365 offers bring: the package of Customer Engagement with its deployer,
// solutions and license plans, behind a link or uploaded, the validation assets of Operations, and documents (rules
// DYN-25, DYN-37, DYN-38, DYN-40, DYN-43, DYN-44, DYN-47, LIC-10, LIC-11). Constants stand in dynamics.json.
//
// Archives lie inside archives: a file in one is named package.zip!/solution.zip!/solution.xml in findings. Links are
// opened through a port, and a link's signature never appears in a finding. What Business Central brings is validated
// by package businesscentral.
package dynamics
